package main

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// person is somebody made up.
type person struct {
	first, last, username, email, company, country string
}

// namer makes up people whose names are as unevenly spread as real ones: a few
// names are everywhere, most are rare.
type namer struct {
	random    *rand.Rand
	first     *rand.Zipf
	last      *rand.Zipf
	surnames  []string
	mailHosts *rand.Zipf
	made      int
}

var firstNames = strings.Fields(`James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan
	Joseph Jessica Thomas Sarah Charles Karen Christopher Lisa Daniel Nancy Matthew Betty Anthony Margaret Mark Sandra Donald Ashley
	Steven Kimberly Paul Emily Andrew Donna Joshua Michelle Kenneth Carol Kevin Amanda Brian Dorothy George Melissa Edward Deborah
	Anna Lena Sofia Lukas Jonas Felix Marie Clara Pierre Camille Hugo Chloe Marco Giulia Lorenzo Elena Pablo Lucia Diego Carmen Jan
	Eva Tomas Petra Piotr Agnieszka Lars Ingrid Nils Astrid Mehmet Ayse Wei Li Hiroshi Yuki Arjun Priya Omar Fatima Kwame Amara`)

var commonSurnames = strings.Fields(`Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez
	Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young
	Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Mueller
	Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Koch Bauer Richter Klein Wolf Schroeder Neumann Schwarz
	Zimmermann Braun Krueger Hofmann Hartmann Lange Werner Krause Lehmann Koehler Herrmann Rossi Ferrari Bianchi Dubois Laurent Moreau`)

var syllables = strings.Fields(`al an ar bel ben ber bor bro bur cal car chan cor dal dan den dor dra el en fal fen fer gal gar gen
	gre hal han har hel hol il in jar jen kal kar kel kin kor lan lar len lin lor mal man mar mel mor nal nar nel nor ol or pal par
	pel por ral ran ren rin rol ros sal san sel sin sol sor tal tan tar ten tin tor ul ur val van var ven vil vor wal wen wil win yal
	yor zan zel`)

var surnameEndings = strings.Fields(`berg dahl dorf er feld ford hart heim holm in ini ley man mann mark mont off ov quist sen ski son
	stad stein strom thal ton vic ward well wick wood worth`)

// mailHosts are on domains reserved for examples; the first ones serve most.
var mailHosts = strings.Fields(`bigmail.example postbox.example fastmail.example inbox.example letters.example courier.example
	webpost.example parcel.example notes.example dispatch.example herald.example relay.example`)

var countries = strings.Fields("DE US GB FR NL IT ES PL SE AT")

// surnameCount is how many different surnames there are.
const surnameCount = 60_000

func newNamer(random *rand.Rand) *namer {
	n := &namer{random: random, surnames: append([]string(nil), commonSurnames...)}
	known := make(map[string]bool, surnameCount)
	for len(n.surnames) < surnameCount {
		name := n.pick(syllables)
		for range random.IntN(3) {
			name += n.pick(syllables)
		}
		name += n.pick(surnameEndings)
		if !known[name] {
			known[name] = true
			n.surnames = append(n.surnames, strings.ToUpper(name[:1])+name[1:])
		}
	}
	n.first = rand.NewZipf(random, 1.05, 10, uint64(len(firstNames)-1))
	n.last = rand.NewZipf(random, 1.05, 30, uint64(len(n.surnames)-1))
	n.mailHosts = rand.NewZipf(random, 1.1, 2, uint64(len(mailHosts)-1))
	return n
}

func (n *namer) pick(of []string) string { return of[n.random.IntN(len(of))] }

// person makes up the next one. Usernames and addresses are unique.
func (n *namer) person() person {
	n.made++
	p := person{
		first: firstNames[n.first.Uint64()], last: n.surnames[n.last.Uint64()],
		country: n.pick(countries),
	}
	first, last, number := strings.ToLower(p.first), strings.ToLower(p.last), strconv.Itoa(n.made)
	switch n.random.IntN(4) {
	case 0:
		p.username = first + "." + last + number
	case 1:
		p.username = first[:1] + last + number
	case 2:
		p.username = last + "_" + number
	default:
		p.username = n.pick(syllables) + n.pick(syllables) + n.pick(surnameEndings) + number
	}
	p.email = p.username + "@" + mailHosts[n.mailHosts.Uint64()]
	if n.random.IntN(8) == 0 {
		p.company = p.last + " " + n.pick([]string{"GmbH", "Ltd", "Inc", "BV", "SAS"})
	}
	return p
}
