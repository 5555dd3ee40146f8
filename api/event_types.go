package api

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/projections"
)

// EventType is a type of event with the shape of its data.
type EventType struct {
	Type     string               `json:"type" example:"domain.lock_set"`
	Category projections.Category `json:"category" doc:"What it is about, in words." example:"Settings"`
	Setting  string               `json:"setting,omitempty" doc:"The setting that it changes." example:"lock"`
	Schema   map[string]any       `json:"schema" doc:"JSON Schema (2020-12) of the data. Values marked x-personal are encrypted in the log and may have been erased."`
}

// listEventTypes handles GET /v1/event-types.
func (s *Server) listEventTypes(ctx context.Context, _ *struct{}) (*PageOutput[EventType], error) {
	types, err := events.Types()
	if err != nil {
		return nil, err
	}
	all := make([]EventType, 0, len(types))
	for name, e := range types {
		d := projections.Describe(e)
		schema := schemaOf(reflect.TypeOf(e), "")
		schema["$schema"], schema["title"] = "https://json-schema.org/draft/2020-12/schema", name
		all = append(all, EventType{Type: name, Category: d.Category, Setting: d.Setting, Schema: schema})
	}
	slices.SortFunc(all, func(a, b EventType) int { return strings.Compare(a.Type, b.Type) })
	return page(ctx, s, list{name: "event_types"}, all, nil)
}

// schemaOf is the JSON Schema of what [publicData] makes of a type.
func schemaOf(t reflect.Type, name string) map[string]any {
	switch t {
	case personalType:
		return map[string]any{
			"x-personal": true,
			"anyOf": []any{
				map[string]any{"type": []string{"string", "null"}},
				map[string]any{"type": "object", "properties": map[string]any{"erased": map[string]any{"const": true}}, "required": []string{"erased"}},
			},
		}
	case uuidType:
		if kind, ok := idKinds[name]; ok {
			return map[string]any{"type": []string{"string", "null"}, "pattern": "^" + string(kind) + "_[0-9a-hjkmnp-tv-z]{26}$"}
		}
		return map[string]any{"type": []string{"string", "null"}, "format": "uuid"}
	case timeType:
		return map[string]any{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Struct:
		return structSchema(t)
	case reflect.Slice:
		return map[string]any{"type": []string{"array", "null"}, "items": schemaOf(t.Elem(), name)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem(), name)}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	default:
		return map[string]any{"type": "integer"}
	}
}

func structSchema(t reflect.Type) map[string]any {
	properties, required := make(map[string]any), []string{}
	for i := range t.NumField() {
		field, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		properties[field] = schemaOf(t.Field(i).Type, field)
		if options == "" {
			required = append(required, field)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}
