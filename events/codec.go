package events

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// decoder turns stored data into a current event.
type decoder func(data []byte) (Event, error)

// decoders is the whole registry: one line per stored name, old names included.
var decoders = map[string]decoder{
	TypePlatformInitialized:   decode[PlatformInitialized],
	TypePlatformEventParked:   decode[PlatformEventParked],
	TypePlatformReactionReset: decode[PlatformReactionReset],

	TypeStoreCreated:         decode[StoreCreated],
	TypeStoreRenamed:         decode[StoreRenamed],
	TypeStoreHostsChanged:    decode[StoreHostsChanged],
	TypeStoreBrandingChanged: decode[StoreBrandingChanged],
	TypeStorePolicySet:       decode[StorePolicySet],
	TypeStoreMailChanged:     decode[StoreMailChanged],

	TypeLoginPasswordSet:   decode[LoginPasswordSet],
	TypeLoginSessionsEnded: decode[LoginSessionsEnded],
	TypeLoginUnlocked:      decode[LoginUnlocked],
	TypeLoginDeviceAdded:   decode[LoginDeviceAdded],

	TypeLoginLinkIssued: decode[LoginLinkIssued],
	TypeLoginLinkUsed:   decode[LoginLinkUsed],

	TypeLoginTwoFactorStarted:     decode[LoginTwoFactorStarted],
	TypeLoginTwoFactorEnabled:     decode[LoginTwoFactorEnabled],
	TypeLoginTwoFactorDisabled:    decode[LoginTwoFactorDisabled],
	TypeLoginCodeAccepted:         decode[LoginCodeAccepted],
	TypeLoginRecoveryCodeUsed:     decode[LoginRecoveryCodeUsed],
	TypeLoginRecoveryCodesRenewed: decode[LoginRecoveryCodesRenewed],

	TypeSessionRefused:       decode[SessionRefused],
	TypeSessionStarted:       decode[SessionStarted],
	TypeSessionChallenged:    decode[SessionChallenged],
	TypeSessionFactorRefused: decode[SessionFactorRefused],
	TypeSessionEnded:         decode[SessionEnded],

	TypeSessionRecoveryRefused: decode[SessionRecoveryRefused],

	TypeImpersonationIssued:         decode[ImpersonationIssued],
	TypeImpersonationRedeemed:       decode[ImpersonationRedeemed],
	TypeImpersonationCustomerViewed: decode[ImpersonationCustomerViewed],
	TypeImpersonationRefused:        decode[ImpersonationRefused],
	TypeImpersonationEnded:          decode[ImpersonationEnded],

	TypeMailCreated:         decode[MailCreated],
	TypeMailSent:            decode[MailSent],
	TypeMailFailed:          decode[MailFailed],
	TypeMailResendRequested: decode[MailResendRequested],

	TypeStaffCreated:      decode[StaffCreated],
	TypeStaffRenamed:      decode[StaffRenamed],
	TypeStaffEmailChanged: decode[StaffEmailChanged],
	TypeStaffRoleChanged:  decode[StaffRoleChanged],
	TypeStaffDeactivated:  decode[StaffDeactivated],
	TypeStaffReactivated:  decode[StaffReactivated],

	TypeAPIKeyCreated: decode[APIKeyCreated],
	TypeAPIKeyRevoked: decode[APIKeyRevoked],
	TypeAPIKeyRotated: decode[APIKeyRotated],
	TypeAPIKeyUsed:    decode[APIKeyUsed],

	TypeCustomerCreated:                  decode[CustomerCreated],
	TypeCustomerProfileEdited:            decode[CustomerProfileEdited],
	TypeCustomerEmailChanged:             decode[CustomerEmailChanged],
	TypeCustomerUsernameChanged:          decode[CustomerUsernameChanged],
	TypeCustomerExternalIDChanged:        decode[CustomerExternalIDChanged],
	TypeCustomerSuspended:                decode[CustomerSuspended],
	TypeCustomerReactivated:              decode[CustomerReactivated],
	TypeCustomerBanned:                   decode[CustomerBanned],
	TypeCustomerDeleted:                  decode[CustomerDeleted],
	TypeCustomerRestored:                 decode[CustomerRestored],
	TypeCustomerActivated:                decode[CustomerActivated],
	TypeCustomerSecurityQuestionImported: decode[CustomerSecurityQuestionImported],
	TypeCustomerSecurityQuestionRemoved:  decode[CustomerSecurityQuestionRemoved],
	TypeCustomerMailRequested:            decode[CustomerMailRequested],
	TypeCustomerDetailsReviewed:          decode[CustomerDetailsReviewed],

	TypeCustomerEmailProvisionalSet: decode[CustomerEmailProvisionalSet],
	TypeCustomerNoteAdded:           decode[CustomerNoteAdded],
	TypeCustomerTagsChanged:         decode[CustomerTagsChanged],
	TypeCustomerErasureRequested:    decode[CustomerErasureRequested],
	TypeCustomerErasureCancelled:    decode[CustomerErasureCancelled],
	TypeCustomerErased:              decode[CustomerErased],
	TypeCustomerErasureCompleted:    decode[CustomerErasureCompleted],
	TypeCustomerNamesReleased:       decode[CustomerNamesReleased],
	TypeCustomerNamesClaimed:        decode[CustomerNamesClaimed],
	TypeCustomerExported:            decode[CustomerExported],
	TypeLoginErased:                 decode[LoginErased],

	TypeDomainRegistered:         decode[DomainRegistered],
	TypeDomainImported:           decode[DomainImported],
	TypeDomainAutoRenewSet:       decode[DomainAutoRenewSet],
	TypeDomainLockSet:            decode[DomainLockSet],
	TypeDomainPrivacySet:         decode[DomainPrivacySet],
	TypeDomainNameserversChanged: decode[DomainNameserversChanged],
	TypeDomainPushed:             decode[DomainPushed],

	TypeUniqReserved:     decode[UniqReserved],
	TypeUniqConfirmed:    decode[UniqConfirmed],
	TypeUniqReleased:     decode[UniqReleased],
	TypeUniqClaimAborted: decode[UniqClaimAborted],
}

// UnknownTypeError reports a stored name that this version of Steward does not
// know. Whoever meets it stops: skipping an event would be a silent lie.
type UnknownTypeError struct{ Type string }

func (e *UnknownTypeError) Error() string {
	return fmt.Sprintf("unknown event type %q: it was written by a newer version", e.Type)
}

// Types returns every stored name and an empty event of its current shape.
func Types() (map[string]Event, error) {
	all := make(map[string]Event, len(decoders))
	for name, decode := range decoders {
		e, err := decode([]byte("{}"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[name] = e
	}
	return all, nil
}

// Encode returns the stored form of e and md. Both must have been sealed:
// a clear personal value fails with [ErrClearPersonal].
func Encode(e Event, md Metadata) (data, metadata []byte, err error) {
	if data, err = json.Marshal(e); err != nil {
		return nil, nil, fmt.Errorf("encode %s: %w", e.EventType(), err)
	}
	if metadata, err = json.Marshal(md); err != nil {
		return nil, nil, fmt.Errorf("encode metadata of %s: %w", e.EventType(), err)
	}
	return data, metadata, nil
}

// Decode returns the event of a record, its personal values still sealed.
// An unknown type fails with [UnknownTypeError].
func Decode(r Record) (Envelope, error) { return decodeWith(decoders, r) }

func decodeWith(registry map[string]decoder, r Record) (Envelope, error) {
	decode, ok := registry[r.Type]
	if !ok {
		return Envelope{}, &UnknownTypeError{Type: r.Type}
	}
	e, err := decode(r.Data)
	if err != nil {
		return Envelope{}, fmt.Errorf("decode %s %s@%d: %w", r.Type, r.Stream, r.Revision, err)
	}
	md, err := DecodeMetadata(r.Metadata)
	if err != nil {
		return Envelope{}, fmt.Errorf("decode metadata of %s %s@%d: %w", r.Type, r.Stream, r.Revision, err)
	}
	return Envelope{
		ID: r.ID, Stream: r.Stream, Revision: r.Revision, Position: r.Position,
		Type: r.Type, RecordedAt: r.RecordedAt, Metadata: md, Event: e,
	}, nil
}

// DecodeMetadata reads stored metadata of any schema up to [MetadataSchema]. A
// newer version that writes more fields raises the schema, so nothing needs to
// look for them here, which would take longer than all the rest.
func DecodeMetadata(data []byte) (Metadata, error) {
	var md Metadata
	if err := json.Unmarshal(data, &md); err != nil {
		return Metadata{}, err
	}
	if md.Schema < 1 || md.Schema > MetadataSchema {
		return Metadata{}, fmt.Errorf("metadata schema %d: this version knows up to %d", md.Schema, MetadataSchema)
	}
	return md, nil
}

func decode[E Event](data []byte) (Event, error) {
	var e E
	if err := strict(data, &e); err != nil {
		return nil, err
	}
	return e, nil
}

// upcast decodes an old shape and turns it into the current one. An entry for
// an old stored name reads: TypeXV1: upcast(xV1.current).
func upcast[Old any, New Event](current func(Old) New) decoder {
	return func(data []byte) (Event, error) {
		var old Old
		if err := strict(data, &old); err != nil {
			return nil, err
		}
		return current(old), nil
	}
}

// strict refuses fields that the shape does not have: a newer version wrote
// them, and dropping them would fold a state that never was.
func strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into)
}
