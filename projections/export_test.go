package projections

// WriteSQL and ReadSQL are all statements of the package, for the test that has
// the database look at each.
var (
	WriteSQL = []string{
		loadCustomers, saveCustomers, loadDomains, saveDomains, loadStores, saveStores, loadStaff, saveStaff,
		loadAPIKeys, saveAPIKeys,
	}
	ReadSQL = readSQL()
)

func readSQL() []string {
	all := []string{
		selectCustomer, selectDomain, selectStore, selectStoreByHost, selectStores, selectStaff, selectStaffByID,
		selectAPIKeys, selectAPIKeyByPrefix, selectStoreLog, selectDomainLog, selectCustomerLog, selectCustomerDomainLog,
		selectLogForward, selectSignIns, selectCustomerSignIns, selectLastSignIns, selectPasswordSchemes,
		selectImpersonations,
	}
	for _, l := range customerLists {
		all = append(all, l.page, l.walk, l.hits)
	}
	for _, l := range domainLists {
		all = append(all, l.page, l.walk, l.hits)
	}
	return all
}

// Bounds of a search, for the tests that cross them.
const (
	SampleRows   = sampleRows
	FrequentHits = frequentHits
)

// IndexCustomers makes the indexes of customers, for benchmarks that load first.
var IndexCustomers = indexCustomers

// CustomerValues is a row of customers as COPY takes it, with its derived columns.
func CustomerValues(c Customer) []any {
	r := customerRow{Customer: c}
	r.rank()
	return []any{
		r.CustomerID, r.StoreID, r.LoginID, string(r.Status), r.HoldServices, string(r.Origin), r.Email, r.Username, r.FirstName,
		r.LastName, r.Company, r.Country, r.ExternalID, r.EmailProvisional, listed(r.Tags), r.TwoFactor, r.PasswordScheme,
		r.PasswordUnreadable, r.LastSignInAt, r.LastSignInCommit, r.LastSignInPrepare, r.StatusSince, string(r.StatusActorKind), r.StatusActorID,
		r.StatusStaffID, string(r.ReasonCode), r.CreatedAt, r.UpdatedAt, r.Revision, r.Position,
		r.SignInRank, r.UsernameRank, r.Search,
	}
}
