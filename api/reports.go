package api

import (
	"context"
)

// PasswordReport counts the passwords of the store's customers by how they are
// hashed.
type PasswordReport struct {
	Customers       int64                 `json:"customers" doc:"All but those who were erased."`
	WithoutPassword int64                 `json:"without_password"`
	Unreadable      int64                 `json:"unreadable" doc:"Passwords that nothing here could check when they were last tried."`
	Schemes         []PasswordSchemeCount `json:"schemes" doc:"The most frequent first."`
}

// PasswordSchemeCount is one way to hash passwords.
type PasswordSchemeCount struct {
	Scheme     string `json:"scheme" example:"argon2id"`
	Customers  int64  `json:"customers"`
	Unreadable int64  `json:"unreadable"`
}

// PasswordReportOutput is the answer with a report.
type PasswordReportOutput struct {
	Body PasswordReport
}

// reportPasswordSchemes handles GET /v1/reports/password-schemes.
func (s *Server) reportPasswordSchemes(ctx context.Context, in *ReadInput) (*PasswordReportOutput, error) {
	if err := s.await(ctx, *in); err != nil {
		return nil, err
	}
	found, err := s.queries.PasswordSchemes(ctx, callerOf(ctx).storeID)
	if err != nil {
		return nil, err
	}
	out := &PasswordReportOutput{Body: PasswordReport{Schemes: []PasswordSchemeCount{}}}
	for _, f := range found {
		out.Body.Customers += f.Customers
		out.Body.Unreadable += f.Unreadable
		if f.Scheme == nil {
			out.Body.WithoutPassword = f.Customers
			continue
		}
		out.Body.Schemes = append(out.Body.Schemes, PasswordSchemeCount{Scheme: *f.Scheme, Customers: f.Customers, Unreadable: f.Unreadable})
	}
	return out, nil
}
