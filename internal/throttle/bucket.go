package throttle

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"

	"github.com/google/uuid"
)

// Bucket is what slots are taken of: a rule, and what it is applied to. Buckets are
// the same if their rule's name and all their parts are.
type Bucket struct {
	Rule  Rule
	Parts []string
}

// Account is the bucket of the passwords tried on a name in a store, which is
// normalised already and need not exist.
func Account(store uuid.UUID, name string) Bucket {
	return Bucket{AccountRule, []string{store.String(), name}}
}

// Device is the bucket of the passwords tried on a name from a device that has
// signed in to it before.
func Device(store uuid.UUID, name, device string) Bucket {
	return Bucket{DeviceRule, []string{store.String(), name, device}}
}

// Network is the bucket of what fails in a store from the network of an address.
func Network(store uuid.UUID, ip string) Bucket {
	return Bucket{NetworkRule, []string{store.String(), Prefix(ip)}}
}

// Challenge is the bucket of the codes tried on one challenge.
func Challenge(id uuid.UUID) Bucket { return Bucket{ChallengeRule, []string{id.String()}} }

// SecondFactor is the bucket of the codes tried on the second factor of a customer or
// team member.
func SecondFactor(store, person uuid.UUID) Bucket {
	return Bucket{SecondFactorRule, []string{store.String(), person.String()}}
}

// Reset is the bucket of the mails to reset the password of a name, which is
// normalised already and need not exist.
func Reset(store uuid.UUID, name string) Bucket {
	return Bucket{ResetRule, []string{store.String(), name}}
}

// ResetNetwork is the bucket of the mails to reset passwords that are asked for from
// the network of an address.
func ResetNetwork(store uuid.UUID, ip string) Bucket {
	return Bucket{ResetNetworkRule, []string{store.String(), Prefix(ip)}}
}

// unknownNetwork is one network for all addresses that are none.
const unknownNetwork = "unknown"

// Prefix is the network that an address counts for, with or without a port: a /24 of
// IPv4 or a /64 of IPv6, which is what one customer of a provider gets. What is no
// address is in one network with everything else that is none.
func Prefix(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		with, err := netip.ParseAddrPort(ip)
		if err != nil {
			return unknownNetwork
		}
		addr = with.Addr()
	}
	addr = addr.Unmap()
	bits := 64
	if addr.Is4() {
		bits = 24
	}
	network, err := addr.WithZone("").Prefix(bits)
	if err != nil {
		return unknownNetwork
	}
	return network.String()
}

// hash is what a bucket is called in the database. Every part has its length before
// it, so that no two lists of parts are one text.
func (b Bucket) hash(key []byte) [sha256.Size]byte {
	mac := hmac.New(sha256.New, key)
	write := func(part string) {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	write("steward-throttle/1")
	write(b.Rule.Name)
	for _, part := range b.Parts {
		write(part)
	}
	return [sha256.Size]byte(mac.Sum(nil))
}
