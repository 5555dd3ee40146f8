// Package blocklist knows passwords that are commonly used, expected or
// compromised, as NIST SP 800-63B-4 section 3.1.1.2 demands of whoever lets
// people choose passwords.
//
// The list is embedded as the sorted first six bytes of the SHA-256 of every
// entry, case-folded: nothing is decompressed and nothing is kept on the heap,
// a look-up is one hash and a binary search in the program's read-only data,
// and nobody is met by a breach's vocabulary in the repository. A password that
// is not listed is taken for one that is with a chance of 5 in 10,000,000,000.
//
// What went in, by the generator in the directory gen:
//
//   - passwords.json of @zxcvbn-ts/language-common 4.1.3 (MIT), 49,233 passwords
//     that are most common in breaches;
//   - common-passwords.txt.gz of Django 3.2 (BSD), 19,727 passwords that are most
//     common in Pwned Passwords, compiled by Royce Williams;
//   - commonWords.json of @zxcvbn-ts/language-en 4.1.1 (MIT; made from
//     OpenSubtitles 2024, ODC-BY), 55,830 English words;
//   - what people make when they are told to use a longer one: the commonest
//     letters-only passwords, seasons, months and weekdays with the usual tails
//     (years, 123, an exclamation mark), and runs along the digits, the alphabet
//     and the keyboard of 8 to 40 characters.
//
// The file LICENSE beside the data holds the licences. Whoever wants a longer
// list adds a source to the generator.
package blocklist

import (
	"crypto/sha256"
	_ "embed"
	"sort"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

//go:embed blocklist.bin
var data string

// KeySize is how many bytes of its hash an entry takes.
const KeySize = 6

// Contains reports whether password, as a whole and in any letter case, is on
// the list.
func Contains(password string) bool { return contains(Key(password)) }

func contains(key string) bool {
	n := Len()
	i := sort.Search(n, func(i int) bool { return data[i*KeySize:(i+1)*KeySize] >= key })
	return i < n && data[i*KeySize:(i+1)*KeySize] == key
}

// Len is the number of passwords on the list.
func Len() int { return len(data) / KeySize }

// Key is what the list keeps of a password.
func Key(password string) string {
	sum := sha256.Sum256([]byte(Fold(password)))
	return string(sum[:KeySize])
}

// Fold returns what two spellings of one password have in common for people:
// Unicode's compatibility form and case folding. Comparing by it belongs to the
// refusal of bad passwords only; a password is verified by its exact bytes.
func Fold(s string) string { return cases.Fold().String(norm.NFKC.String(s)) }
