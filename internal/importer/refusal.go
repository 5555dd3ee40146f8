package importer

// Refusal says why a row was not applied. It never repeats what the row holds.
type Refusal struct {
	Line   int    `json:"line"`   // of the file
	Field  string `json:"field"`  // the column at fault, or nothing when it is the row
	Code   string `json:"code"`   // stable, lower snake case
	Reason string `json:"reason"` // a sentence for people
}

func refusal(field, code, reason string) *Refusal {
	return &Refusal{Field: field, Code: code, Reason: reason}
}

// at returns a copy of r for a line.
func (r Refusal) at(line int) Refusal {
	r.Line = line
	return r
}
