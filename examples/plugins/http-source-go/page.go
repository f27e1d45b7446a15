package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

// record is one record of a page.
type record struct {
	payload json.RawMessage
	cursor  string
}

// recordsOf reads a page. A record's text stays as it came, to the last digit.
func (s settings) recordsOf(page answer) ([]record, error) {
	if !json.Valid(page.body) {
		return nil, s.fault("not_json", "see that `url` is that of the API, not of a page for people",
			"expected JSON, got %s", page.shown())
	}
	var list []json.RawMessage
	found := at(page.body, s.Records)
	if len(found) == 0 || found[0] != '[' || json.Unmarshal(found, &list) != nil {
		return nil, s.fault("records_missing", "set `records` to where the list of records is in the page",
			"expected a list at `%s`, got %s", s.Records, page.shown())
	}
	records := make([]record, len(list))
	for number, payload := range list {
		cursor := text(at(payload, s.CursorField))
		if cursor == "" {
			return nil, s.fault("cursor_missing", "set `cursor_field` to where a record has its cursor",
				"expected a text or a number at `%s` of record %d, got %s", s.CursorField, number+1, answer{body: payload}.shown())
		}
		records[number] = record{payload, cursor}
	}
	return records, nil
}

func (s settings) fault(code, hint, format string, arguments ...any) error {
	return cdpplugin.PluginError{
		Message: s.place() + ": " + fmt.Sprintf(format, arguments...), Code: "http_source." + code, Hint: hint,
	}
}

// at returns the value at a dotted path, or nil; an empty path is the value itself.
func at(value json.RawMessage, path string) json.RawMessage {
	value = bytes.TrimSpace(value)
	if path == "" {
		return value
	}
	for _, name := range strings.Split(path, ".") {
		object, err := cdpplugin.ParseObject(value)
		if err != nil {
			return nil
		}
		value = object.Get(name)
	}
	return bytes.TrimSpace(value)
}

// text returns a cursor as text: of a JSON text what it says, of a number its digits.
func text(value json.RawMessage) string {
	var said string
	if json.Unmarshal(value, &said) == nil {
		return said
	}
	var number json.Number
	if json.Unmarshal(value, &number) == nil {
		return number.String()
	}
	return ""
}
