package api

import (
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
)

var (
	personalType = reflect.TypeFor[events.Personal]()
	uuidType     = reflect.TypeFor[uuid.UUID]()
	timeType     = reflect.TypeFor[time.Time]()
)

// publicData is an event as callers see it: the fields that are stored, ids in
// their wire form, personal values as texts. A value that was erased is
// {"erased": true}, one that was not opened {"sealed": true}.
func publicData(e events.Event) map[string]any {
	data, _ := publicValue(reflect.ValueOf(e), "").(map[string]any)
	return data
}

func publicValue(v reflect.Value, name string) any {
	switch v.Type() {
	case personalType:
		return publicPersonal(v.Interface().(events.Personal))
	case uuidType:
		return publicID(v.Interface().(uuid.UUID), name)
	case timeType:
		return v.Interface()
	}
	switch v.Kind() {
	case reflect.Struct:
		object := make(map[string]any)
		for i := range v.NumField() {
			field, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if omitted(v.Field(i), options) {
				continue
			}
			object[field] = publicValue(v.Field(i), field)
		}
		return object
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = publicValue(v.Index(i), name)
		}
		return list
	default:
		return v.Interface()
	}
}

func omitted(v reflect.Value, options string) bool {
	switch options {
	case "omitzero":
		return v.IsZero()
	case "omitempty":
		return v.Kind() == reflect.Slice && v.Len() == 0 || v.IsZero()
	default:
		return false
	}
}

func publicPersonal(p events.Personal) any {
	switch text, ok := p.Reveal(); {
	case ok:
		return text
	case p.IsErased():
		return map[string]bool{"erased": true}
	case p.IsZero():
		return nil
	default:
		return map[string]bool{"sealed": true}
	}
}

// idKinds says what an id in a field of this name is the id of.
var idKinds = map[string]wireid.Kind{
	"customer_id": wireid.Customer, "from_customer_id": wireid.Customer, "to_customer_id": wireid.Customer,
	"domain_id": wireid.Domain, "event_id": wireid.Event, "store_id": wireid.Store, "staff_id": wireid.Staff,
	"api_key_id": wireid.APIKey, "login_id": wireid.Login, "command_id": wireid.Command, "session_id": wireid.Session,
	"mail_id": wireid.Mail, "cause_id": wireid.Event,
	"impersonation_id": wireid.Impersonation,
}

func publicID(id uuid.UUID, field string) any {
	kind, ok := idKinds[field]
	switch {
	case id == uuid.Nil:
		return nil
	case ok:
		return wireid.Format(kind, id)
	default:
		return id.String()
	}
}
