package mail

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// server is where mails go, as its address says.
type server struct {
	host           string
	port           int
	user, password string
	implicit       bool // TLS from the first byte
	clear          bool // no TLS at all
}

// parseServer reads the address of a server. No error repeats any of it: the password may stand anywhere in an address
// that is mistyped.
func parseServer(address string) (server, error) {
	u, err := url.Parse(address)
	if err != nil {
		return server{}, errors.New("mail: the SMTP address cannot be read: write smtp://user:password@host:587, with %23 for # in the password, %2F for / and so on")
	}
	s := server{host: u.Hostname(), port: 587}
	switch u.Scheme {
	case "smtp":
	case "smtps":
		s.implicit, s.port = true, 465
	default:
		return server{}, errors.New("mail: the SMTP address must begin with smtp:// or smtps://")
	}
	if s.host == "" {
		return server{}, errors.New("mail: the SMTP address names no host")
	}
	if u.Path != "" && u.Path != "/" || u.Fragment != "" {
		return server{}, errors.New("mail: the SMTP address has something behind the host and port")
	}
	if port := u.Port(); port != "" {
		if s.port, err = strconv.Atoi(port); err != nil || s.port < 1 || s.port > 65535 {
			return server{}, errors.New("mail: the port of the SMTP address is not one of 1 to 65535")
		}
	}
	if u.User != nil {
		s.user = u.User.Username()
		s.password, _ = u.User.Password()
		if s.user == "" || s.password == "" {
			return server{}, errors.New("mail: the SMTP address needs both a user and a password, or neither")
		}
	}
	return s, s.secure(u.RawQuery)
}

// secure decides about TLS.
func (s *server) secure(query string) error {
	q, err := url.ParseQuery(query)
	mode := q.Get("tls")
	delete(q, "tls")
	switch {
	case err != nil || len(q) > 0:
		return errors.New("mail: the SMTP address may say tls=starttls or tls=none, and nothing else")
	case s.implicit && mode != "":
		return errors.New("mail: smtps:// is TLS already, leave tls= out or write smtp://")
	case mode == "none", mode == "" && !s.implicit && loopback(s.host):
		s.clear = true
	case mode != "" && mode != "starttls":
		return errors.New("mail: tls= of the SMTP address is neither starttls nor none")
	}
	if s.clear && s.user != "" && !loopback(s.host) {
		return errors.New("mail: with tls=none the SMTP password would cross the network in the clear")
	}
	return nil
}

// loopback reports whether host is this machine.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (s *server) address() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// String names the server and how it is spoken to, without the user.
func (s *server) String() string {
	how := "STARTTLS"
	switch {
	case s.implicit:
		how = "TLS"
	case s.clear:
		how = "no TLS"
	}
	if s.user != "" {
		how += ", signed in"
	}
	return s.address() + " (" + how + ")"
}
