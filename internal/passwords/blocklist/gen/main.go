// Command gen makes the list of passwords that package blocklist embeds, from
// three published files whose contents it checks:
//
//	npm pack @zxcvbn-ts/language-common@4.1.3 @zxcvbn-ts/language-en@4.1.1
//	apt-get download python3-django=3:3.2.25-0+deb12u7
//	tar -xzf zxcvbn-ts-language-common-4.1.3.tgz package/src/passwords.json
//	tar -xzf zxcvbn-ts-language-en-4.1.1.tgz package/src/commonWords.json
//	dpkg -x python3-django_*.deb .
//	go run ./internal/passwords/blocklist/gen \
//		-passwords package/src/passwords.json \
//		-words package/src/commonWords.json \
//		-django usr/lib/python3/dist-packages/django/contrib/auth/common-passwords.txt.gz \
//		-o internal/passwords/blocklist/blocklist.bin
//
// The same inputs give the same bytes.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/stewardhq/steward/internal/passwords/blocklist"
)

// The SHA-256 of the inputs, so that the list is what its documentation says.
const (
	passwordsSum = "f422773d94d630f27e08b26d7017e847bb1feb2a84809340e9c0b0c47b33e3f1"
	wordsSum     = "184d8cd7ffa3a1727a1448766090daa98001d92f8e6436a7c8a8fca39cc3d441"
	djangoSum    = "a73d3d14f1e9ee570a18232dc1edfd129dc9c0da4315da2b69ad6d92914a6fe6"
)

func main() {
	passwords := flag.String("passwords", "", "passwords.json of @zxcvbn-ts/language-common")
	words := flag.String("words", "", "commonWords.json of @zxcvbn-ts/language-en")
	django := flag.String("django", "", "common-passwords.txt.gz of Django")
	out := flag.String("o", "blocklist.bin", "the file to write")
	flag.Parse()
	n, err := generate(*passwords, *words, *django, *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stdout, "%s: %d passwords\n", *out, n)
}

// generate writes the list to a file and returns how many passwords are on it.
func generate(passwords, words, django, out string) (int, error) {
	commonest, err := readJSON(passwords, passwordsSum)
	if err != nil {
		return 0, err
	}
	english, err := readJSON(words, wordsSum)
	if err != nil {
		return 0, err
	}
	pwned, err := readLines(django, djangoSum)
	if err != nil {
		return 0, err
	}
	list := keys(commonest, english, pwned, derived(commonest))
	return len(list), os.WriteFile(out, []byte(strings.Join(list, "")), 0o644)
}

// keys returns the keys of all entries, sorted and each once.
func keys(lists ...[]string) []string {
	var found []string
	for _, list := range lists {
		for _, entry := range list {
			if entry != "" {
				found = append(found, blocklist.Key(entry))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func readJSON(path, sum string) ([]string, error) {
	b, err := read(path, sum)
	if err != nil {
		return nil, err
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("%s is not a JSON array of strings: %w", path, err)
	}
	return list, nil
}

func readLines(path, sum string) ([]string, error) {
	b, err := read(path, sum)
	if err != nil {
		return nil, err
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return strings.Split(string(text), "\n"), nil
}

func read(path, want string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != want {
		return nil, fmt.Errorf("%s has the SHA-256 %x, not %s: take the version that the documentation of this command names, or change both", path, sum, want)
	}
	return b, nil
}
