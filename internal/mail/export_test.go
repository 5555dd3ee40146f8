package mail

import (
	"crypto/x509"
	"reflect"
	"time"
)

// View is the type that the templates see.
func View() reflect.Type { return reflect.TypeFor[view]() }

// Trust makes s accept certificates of roots alone, and be as impatient as tests are.
func Trust(s *Sender, roots *x509.CertPool, whole time.Duration) {
	s.tls.RootCAs, s.whole = roots, whole
}
