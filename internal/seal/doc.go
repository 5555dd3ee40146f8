// Package seal turns personal values into what the log may hold and back.
//
// # Envelope
//
// A sealed value is stored as {"$e":1,"k":key id,"c":ciphertext}. The ciphertext
// is, in unpadded base64url (RFC 4648, section 5), the output of AES-256-GCM: a
// random nonce of 12 bytes, the encrypted text and a tag of 16 bytes.
//
// What is encrypted is the length of the text as a varint (the unsigned one of
// encoding/binary), the text, and zeros up to the next multiple of 32 bytes, so
// that the size of a name tells little of it.
//
// The additional data are eight parts, each with its length before it in four
// bytes, the highest first: "steward-env/1", the store id (16 bytes, zeros for
// the platform), the subject (kind:id), the key id (16 bytes), the stream, the
// event id (16 bytes), the event type and the path of the field (data.after.phone,
// metadata.reason, metadata.net). A ciphertext therefore opens in the one place
// that it was made for.
//
// # Erasure
//
// A value whose key was destroyed opens as [events.Erased]: a mark of its own,
// neither an error nor an empty text. A key that is missing for any other reason
// is [vault.ErrKeyUnavailable].
package seal
