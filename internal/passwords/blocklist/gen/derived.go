package main

import (
	"strconv"
	"strings"
)

// tops is how many of the commonest passwords made of letters get tails.
const tops = 100

// The lengths of runs along digits, alphabet and keyboard. Shorter ones no
// policy accepts, longer ones nobody types.
const shortestRun, longestRun = 8, 40

// seasonal are the words that passwords which must change every so often are
// made of, and those that a first password is.
var seasonal = strings.Fields(`spring summer autumn fall winter january february march april may june july august
	september october november december monday tuesday wednesday thursday friday saturday sunday welcome password
	passw0rd p@ssword p@ssw0rd changeme letmein admin administrator root user guest login secret qwerty temporary default`)

// famous passwords are too long for the lists of breaches.
var famous = []string{"correcthorsebatterystaple", "correct horse battery staple", "Tr0ub4dor&3"}

// rings are what people run along, in either direction and around the end.
var rings = []string{
	"1234567890",
	"abcdefghijklmnopqrstuvwxyz",
	"qwertyuiopasdfghjklzxcvbnm",
	"qwertzuiopasdfghjklyxcvbnm",
	"azertyuiopqsdfghjklmwxcvbn",
	"1234567890qwertyuiop",
	"abcdefghijklmnopqrstuvwxyz1234567890",
	"1q2w3e4r5t6y7u8i9o0p",
	"q1w2e3r4t5y6u7i8o9p0",
	"qazwsxedcrfvtgbyhnujmikolp",
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm",
	"1a2b3c4d5e6f7g8h9i0j",
	"a1b2c3d4e5f6g7h8i9j0",
}

// derived returns what people make of the commonest passwords, which come with
// the commonest first, when a longer one is demanded of them.
func derived(commonest []string) []string {
	list := append([]string(nil), famous...)
	for _, base := range append(letters(commonest, tops), seasonal...) {
		for _, tail := range tails() {
			list = append(list, base+tail)
		}
	}
	for _, ring := range rings {
		list = append(list, runs(ring)...)
		list = append(list, runs(reversed(ring))...)
	}
	return list
}

func tails() []string {
	list := []string{"!", "!!", "1!", "12!", "123!", "1234!", "@123", "#1", "@1", "0", "00", "01", "007", "11", "111", "69", "321", "4321", "54321"}
	for n := 1; n <= 10; n++ {
		list = append(list, "1234567890"[:n])
	}
	for year := 1980; year <= 2035; year++ {
		y := strconv.Itoa(year)
		list = append(list, y, y+"!")
	}
	return list
}

// letters returns the first n entries that are four or more letters a to z.
func letters(list []string, n int) []string {
	var found []string
	for _, entry := range list {
		if len(entry) >= 4 && strings.Trim(entry, "abcdefghijklmnopqrstuvwxyz") == "" {
			if found = append(found, entry); len(found) == n {
				break
			}
		}
	}
	return found
}

func runs(ring string) []string {
	var list []string
	around := strings.Repeat(ring, 2+longestRun/len(ring))
	for start := range len(ring) {
		for length := shortestRun; length <= longestRun; length++ {
			list = append(list, around[start:start+length])
		}
	}
	return list
}

func reversed(s string) string {
	b := make([]byte, 0, len(s))
	for i := len(s) - 1; i >= 0; i-- {
		b = append(b, s[i])
	}
	return string(b)
}
