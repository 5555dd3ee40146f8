package store_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

type (
	history = []events.StoreEvent
	tcase   = decidertest.Case[store.Command, events.StoreEvent]
)

var (
	id      = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001")
	created = events.StoreCreated{StoreID: id, Name: "Shop", Hosts: []string{"shop.example"}}
)

func TestStore(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, store.Decider, []tcase{
		{Name: "opens", When: store.Create{StoreID: id, Name: "Shop", Hosts: []string{"SHOP.example."}}, Then: history{created}, Again: store.ErrExists},
		{Name: "opens once", Given: history{created}, When: store.Create{StoreID: id, Name: "Shop", Hosts: []string{"shop.example"}}, Err: store.ErrExists},
		{Name: "needs a name", When: store.Create{StoreID: id, Hosts: []string{"shop.example"}}, Err: store.ErrInvalid, Field: "name"},
		{Name: "needs a host", When: store.Create{StoreID: id, Name: "Shop"}, Err: store.ErrInvalid, Field: "hosts"},
		{Name: "names the host at fault", When: store.Create{StoreID: id, Name: "Shop", Hosts: []string{"shop.example", "localhost"}}, Err: store.ErrInvalid, Field: "hosts[1]"},
		{Name: "is renamed", Given: history{created}, When: store.Rename{Name: "Store"}, Then: history{events.StoreRenamed{StoreID: id, Before: "Shop", After: "Store"}}},
		{Name: "has the name already", Given: history{created}, When: store.Rename{Name: " Shop "}},
		{
			Name: "moves", Given: history{created}, When: store.ChangeHosts{Hosts: []string{"www.shop.example", "shop.example"}},
			Then: history{events.StoreHostsChanged{StoreID: id, Before: created.Hosts, After: []string{"shop.example", "www.shop.example"}}},
		},
		{Name: "is there already", Given: history{created}, When: store.ChangeHosts{Hosts: []string{"shop.example"}}},
		{
			Name: "is painted", Given: history{created}, When: store.ChangeBranding{Branding: events.Branding{Color: "#1F6FEB", LogoURL: "https://shop.example/logo.svg"}},
			Then: history{events.StoreBrandingChanged{StoreID: id, After: events.Branding{Color: "#1f6feb", LogoURL: "https://shop.example/logo.svg"}}},
		},
		{Name: "needs a real colour", Given: history{created}, When: store.ChangeBranding{Branding: events.Branding{Color: "red"}}, Err: store.ErrInvalid, Field: "branding.color"},
		{Name: "needs a secure logo", Given: history{created}, When: store.ChangeBranding{Branding: events.Branding{LogoURL: "javascript:x"}}, Err: store.ErrInvalid, Field: "branding.logo_url"},
		{
			Name: "has a voice", Given: history{created}, When: store.ChangeMail{Mail: events.MailSettings{
				SenderName: " Shop team ", SenderAddress: "team@shop.example", ReplyTo: "help@shop.example", LinkURL: "https://shop.example/account?x=1",
			}},
			Then: history{events.StoreMailChanged{StoreID: id, After: events.MailSettings{
				SenderName: "Shop team", SenderAddress: "team@shop.example", ReplyTo: "help@shop.example", LinkURL: "https://shop.example/account?x=1",
			}}},
		},
		{Name: "needs a real sender", Given: history{created}, When: store.ChangeMail{Mail: events.MailSettings{SenderAddress: "team"}}, Err: store.ErrInvalid, Field: "mail.sender_address"},
		{Name: "has no second line in its name", Given: history{created}, When: store.ChangeMail{Mail: events.MailSettings{SenderName: "a\nBcc: b"}}, Err: store.ErrInvalid, Field: "mail.sender_name"},
		{Name: "leads to a secure page", Given: history{created}, When: store.ChangeMail{Mail: events.MailSettings{LinkURL: "http://shop.example"}}, Err: store.ErrInvalid, Field: "mail.link_url"},
		{Name: "keeps the place of the token free", Given: history{created}, When: store.ChangeMail{Mail: events.MailSettings{LinkURL: "https://shop.example/#a"}}, Err: store.ErrInvalid, Field: "mail.link_url"},
		{Name: "never was", When: store.Rename{Name: "Store"}, Err: store.ErrNotFound},
	})
}
