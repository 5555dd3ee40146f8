package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// importInFlight is how many rows are on their way at once.
const importInFlight = 64

// importGoal is how long the import may take, in seconds.
const importGoal = 10

// measureImport times steward import, from its start to its end, into an empty
// store.
func measureImport(ctx context.Context, b *bench) (_ result, err error) {
	d, err := b.startDev(ctx, "import")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	file, key := filepath.Join(d.data, "import.csv"), filepath.Join(d.data, "import.key")
	if err := errors.Join(writeImport(file, b.seed, b.sizes.importRows, b.sizes.importOwners),
		os.WriteFile(key, []byte(d.APIKeys["owner"]), 0o600)); err != nil {
		return result{}, fmt.Errorf("write the file to import: %w", err)
	}
	b.progress.say("importing %s rows", grouped(float64(b.sizes.importRows)))
	began := time.Now()
	out, err := b.run(ctx, b.environment(), "import", file, "--url", d.BaseURL, "--key-file", key,
		"--in-flight", strconv.Itoa(importInFlight), "--retry-for", "20s", "--output", "json")
	took := time.Since(began).Seconds()
	if err != nil {
		return result{}, err
	}
	var counts struct {
		Accepted int `json:"accepted"`
		Owners   int `json:"owners_created"`
	}
	if err := json.Unmarshal(out, &counts); err != nil {
		return result{}, fmt.Errorf("read the report of the import: %w", err)
	}
	if counts.Accepted != b.sizes.importRows {
		return result{}, fmt.Errorf("the import accepted %d rows of %d", counts.Accepted, b.sizes.importRows)
	}
	goal, met := atMost(took, importGoal, "s")
	rows := float64(counts.Accepted)
	return result{
		rows: []row{{
			fmt.Sprintf("import of %s rows with %s owners, %d in flight", grouped(rows), grouped(float64(counts.Owners)), importInFlight),
			fmt.Sprintf("%.1f s (%s rows/s)", took, grouped(rows/took)), goal, met,
		}},
		numbers: map[string]float64{"seconds": took, "rows": rows, "owners": float64(counts.Owners)},
	}, nil
}

// writeImport makes up a file to import: owners hold domains unevenly, and every
// owner holds one.
func writeImport(path string, seed uint64, rows, owners int) (err error) {
	file, err := os.Create(path) //nolint:gosec // in the scratch directory
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffered := bufio.NewWriter(file)
	w := csv.NewWriter(buffered)
	random := newRandom(seed)
	people := newNamer(random)
	holders := make([]person, owners)
	for i := range holders {
		holders[i] = people.person()
	}
	spread := rand.NewZipf(random, 1.1, float64(owners)/20+1, uint64(owners-1))
	if err := w.Write(strings.Split("domain,owner_email,owner_username,owner_name,registered_at,expires_at,auto_renew,locked,privacy,nameservers", ",")); err != nil {
		return err
	}
	for i := range rows {
		owner := i // the first rows go round
		if i >= owners {
			owner = int(spread.Uint64())
		}
		p := holders[owner]
		begin := time.Date(2010+random.IntN(15), time.Month(1+random.IntN(12)), 1+random.IntN(28), 0, 0, 0, 0, time.UTC)
		if err := w.Write([]string{
			fmt.Sprintf("%s%s-%d%s", people.pick(syllables), people.pick(surnameEndings), i, people.pick(suffixes)),
			p.email, p.username, p.first + " " + p.last,
			begin.Format(time.DateOnly), begin.AddDate(20+random.IntN(10), 0, 0).Format(time.DateOnly),
			strconv.FormatBool(random.IntN(3) > 0), strconv.FormatBool(random.IntN(2) > 0), strconv.FormatBool(random.IntN(2) > 0),
			strings.Join(nameserverSets[random.IntN(len(nameserverSets))], ";"),
		}); err != nil {
			return err
		}
	}
	w.Flush()
	return errors.Join(w.Error(), buffered.Flush())
}
