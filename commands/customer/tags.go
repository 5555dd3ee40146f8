package customer

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/stewardhq/steward/events"
)

// SetTags sorts the customer under these tags of the team and no others.
type SetTags struct {
	By   events.Actor
	Tags []string
}

func (SetTags) customerCommand() {}

const maxTags = 20

// tagPattern leaves no room for what would be personal: tags are kept in the clear.
var tagPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

func setTags(s State, c SetTags) ([]events.CustomerEvent, error) {
	if c.By.Kind != events.ActorReseller {
		return nil, ErrStaffOnly
	}
	if err := changeable(s); err != nil {
		return nil, err
	}
	if len(c.Tags) > maxTags {
		return nil, ErrInvalid.On("tags", "are more than 20")
	}
	refused := ErrInvalid
	for i, tag := range c.Tags {
		if !tagPattern.MatchString(tag) {
			refused = refused.On(fmt.Sprintf("tags[%d]", i), "is not 1 to 32 of a-z, 0-9, _ and -, beginning with a letter or digit")
		}
	}
	if len(refused.Fields) > 0 {
		return nil, refused
	}
	after := slices.Compact(slices.Sorted(slices.Values(c.Tags)))
	if slices.Equal(after, s.Tags) {
		return nil, nil
	}
	return []events.CustomerEvent{events.CustomerTagsChanged{CustomerID: s.ID, Before: listed(s.Tags), After: listed(after)}}, nil
}

// listed is a list that is never null.
func listed(tags []string) []string {
	if tags == nil {
		return []string{}
	}
	return tags
}
