package events

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/google/uuid"
)

// Field is a personal value inside an event.
type Field struct {
	// Path is where the value stands, in JSON names from the top of the event's
	// data: data.after.phone.
	Path    string
	Subject Subject
	Value   Personal
}

var (
	personalType = reflect.TypeFor[Personal]()
	uuidType     = reflect.TypeFor[uuid.UUID]()
)

// MapPersonal returns a copy of e in which every present personal value is
// replaced by what fn makes of it. The event given stays as it is.
func MapPersonal(e Event, fn func(Field) (Personal, error)) (Event, error) {
	given := reflect.ValueOf(e)
	fields := personalFields(given.Type())
	if len(fields) == 0 {
		return e, nil
	}
	out := reflect.New(given.Type()).Elem()
	out.Set(given)
	for _, f := range fields {
		value := out.FieldByIndex(f.index).Addr().Interface().(*Personal)
		if value.IsZero() {
			continue
		}
		id := out.FieldByIndex(f.subjectID).Addr().Interface().(*uuid.UUID)
		mapped, err := fn(Field{Path: f.path, Subject: Subject{Kind: f.kind, ID: *id}, Value: *value})
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", e.EventType(), f.path, err)
		}
		*value = mapped
	}
	return out.Interface().(Event), nil
}

// PersonalFields lists the personal values that e carries.
func PersonalFields(e Event) []Field {
	var all []Field
	_, _ = MapPersonal(e, func(f Field) (Personal, error) {
		all = append(all, f)
		return f.Value, nil
	})
	return all
}

// personalField is where a personal value stands in an event type.
type personalField struct {
	path      string
	index     []int
	kind      SubjectKind
	subjectID []int
}

// fieldIndex holds the personal fields of every registered event type, found
// once. An event whose tags are wrong stops the program before it can write.
var fieldIndex = indexFields()

func indexFields() map[reflect.Type][]personalField {
	all := make(map[reflect.Type][]personalField, len(decoders))
	types, err := Types()
	if err != nil {
		panic(err)
	}
	for _, e := range types {
		t := reflect.TypeOf(e)
		all[t] = findPersonal(t, t, nil, "data")
	}
	return all
}

func personalFields(t reflect.Type) []personalField { return fieldIndex[t] }

func findPersonal(event, t reflect.Type, index []int, path string) []personalField {
	var found []personalField
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		at := append(append([]int(nil), index...), i)
		switch {
		case f.Type == personalType:
			kind, idField, renamed := strings.Cut(f.Tag.Get("subject"), ",")
			if !renamed {
				idField = kind + "_id"
			}
			found = append(found, personalField{
				path: path + "." + name, index: at,
				kind: SubjectKind(kind), subjectID: subjectIndex(event, idField),
			})
		case f.Type.Kind() == reflect.Struct:
			found = append(found, findPersonal(event, f.Type, at, path+"."+name)...)
		}
	}
	return found
}

func subjectIndex(event reflect.Type, jsonName string) []int {
	for i := range event.NumField() {
		f := event.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == jsonName && f.Type == uuidType {
			return []int{i}
		}
	}
	panic(fmt.Sprintf("%s: a personal field names the id field %q, which the event lacks", event, jsonName))
}
