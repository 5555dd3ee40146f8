package eventstore

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// target is where the store is, and how to say so without credentials.
type target struct {
	name   string
	config esdb.Configuration
}

// client returns a configuration that one client may keep.
func (t target) client(log esdb.LoggingFunc) *esdb.Configuration {
	c := t.config
	c.Logger = log
	return &c
}

// newTarget checks a configuration. Its errors never hold the URL, which may
// hold credentials.
func newTarget(c Config) (target, error) {
	switch {
	case c.URL == "" && c.Socket == "":
		return target{}, errors.New("event store: neither a URL nor a socket is configured")
	case c.URL != "" && c.Socket != "":
		return target{}, errors.New("event store: both a URL and a socket are configured")
	case c.Socket != "":
		return socketTarget(c.Socket)
	default:
		return urlTarget(c.URL, c.Insecure)
	}
}

func socketTarget(path string) (target, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return target{}, fmt.Errorf("event store socket: %w", err)
	}
	conf, err := esdb.ParseConnectionString("esdb://localhost?tls=false")
	if err != nil {
		return target{}, fmt.Errorf("event store socket: %w", err)
	}
	conf.Address = (&url.URL{Scheme: "unix", Path: abs}).String()
	oneAttempt(conf)
	conf.GossipTimeout = connectSeconds
	return target{name: "socket " + abs, config: *conf}, nil
}

// connectSeconds is how long one attempt to connect may take, unless the URL's
// gossipTimeout says otherwise.
const connectSeconds = 2

func urlTarget(raw string, insecure bool) (target, error) {
	before, query, _ := strings.Cut(raw, "?")
	settings, err := url.ParseQuery(query)
	if err != nil {
		return target{}, errors.New("event store URL: the settings after ? cannot be read")
	}
	timeoutGiven, err := checkSettings(settings)
	if err != nil {
		return target{}, err
	}
	address := ""
	if u, err := url.Parse(raw); err == nil && strings.HasPrefix(u.Host, "[") {
		// The client refuses IPv6 literals in a URL, and takes them as an address.
		if address = u.Host; u.Port() == "" {
			address += ":2113"
		}
		u.Host = "localhost"
		raw, before = u.String(), ""
	}
	conf, err := esdb.ParseConnectionString(raw)
	if err != nil {
		return target{}, errors.New("event store URL: not a connection string like esdb://host:2113?tls=true")
	}
	if address != "" {
		conf.Address = address
	}
	oneAttempt(conf)
	if !timeoutGiven {
		conf.GossipTimeout = connectSeconds
	}
	t := target{name: hosts(conf), config: *conf}
	if !conf.DisableTLS {
		return t, nil
	}
	if conf.Username != "" || strings.Contains(before, "@") {
		return target{}, fmt.Errorf("event store %s: credentials are sent only over TLS; remove tls=false", t.name)
	}
	if !insecure {
		return target{}, fmt.Errorf("event store %s: tls=false needs STEWARD_EVENTSTORE_INSECURE=1", t.name)
	}
	return t, nil
}

// oneAttempt leaves retrying to this package: a client that fails is replaced.
func oneAttempt(conf *esdb.Configuration) {
	conf.MaxDiscoverAttempts = 1
	conf.DiscoveryInterval = 0
}

// checkSettings refuses what the client would only log, or swallow.
func checkSettings(settings url.Values) (timeoutGiven bool, err error) {
	for key, values := range settings {
		switch strings.ToLower(key) {
		case "discoveryinterval", "maxdiscoverattempts", "nodepreference", "keepaliveinterval", "keepalivetimeout",
			"tls", "tlscafile", "usercertfile", "userkeyfile", "tlsverifycert":
		case "gossiptimeout":
			timeoutGiven = true
			if n, err := strconv.Atoi(values[0]); err != nil || n < 1 {
				return false, errors.New("event store URL: gossipTimeout must be a number of seconds")
			}
		case "defaultdeadline":
			if n, err := strconv.Atoi(values[0]); err != nil || n < 1 {
				return false, errors.New("event store URL: defaultDeadline must be a number of milliseconds")
			}
		default:
			return false, fmt.Errorf("event store URL: unknown setting %q", key)
		}
	}
	return timeoutGiven, nil
}

func hosts(conf *esdb.Configuration) string {
	if len(conf.GossipSeeds) == 0 {
		return conf.Address
	}
	seeds := make([]string, len(conf.GossipSeeds))
	for i, seed := range conf.GossipSeeds {
		seeds[i] = seed.String()
	}
	return strings.Join(seeds, ",")
}
