// Package mail renders the mails that a store sends and hands them to an SMTP server.
//
// [Render] is pure: a template and its [Data] make a subject, a text and an HTML page in the store's colours. A
// [Sender] delivers one [Letter] a call. When a mail is sent, to whom and how often is for its callers to decide.
package mail
