package main

import (
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

// settings are the plugin's configuration; plugin.yaml holds its schema.
type settings struct {
	URL          string            `json:"url"`
	Type         string            `json:"type"`
	Records      string            `json:"records"`
	CursorField  string            `json:"cursor_field"`
	Cursor       string            `json:"cursor"`
	Limit        int               `json:"limit"`
	Follow       bool              `json:"follow"`
	PollInterval float64           `json:"poll_interval"`
	Timeout      float64           `json:"timeout"`
	Headers      map[string]string `json:"headers"`
	address      *url.URL
}

// settingsOf reads a configuration.
func settingsOf(text json.RawMessage) (settings, error) {
	given := settings{
		Records: "_embedded.records", CursorField: "paging_token", Limit: 200, Follow: true, PollInterval: 5, Timeout: 30,
	}
	if err := cdpplugin.DecodeConfig(text, &given); err != nil {
		return given, err
	}
	address, err := url.Parse(given.URL)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		return given, cdpplugin.ConfigInvalid{
			Message: "`url`: expected an address with http:// or https://", Hint: "set `url`",
		}
	}
	given.address = address
	switch {
	case given.Type == "" || given.CursorField == "":
		return given, cdpplugin.ConfigInvalid{
			Message: "expected `type` and `cursor_field`, got an empty text", Hint: "set both",
		}
	case given.Limit <= 0 || given.PollInterval <= 0 || given.Timeout <= 0:
		return given, cdpplugin.ConfigInvalid{
			Message: "expected `limit`, `poll_interval` and `timeout` to be more than 0", Hint: "leave them out",
		}
	}
	return given, nil
}

// page returns the address of the page after cursor.
func (s settings) page(cursor string) string {
	address, query := *s.address, s.address.Query()
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	query.Set("limit", strconv.Itoa(s.Limit))
	query.Set("order", "asc")
	address.RawQuery = query.Encode()
	return address.String()
}

// place is the address in words: without a query and a password, which may hold secrets.
func (s settings) place() string {
	return (&url.URL{Scheme: s.address.Scheme, Host: s.address.Host, Path: s.address.Path}).String()
}

func seconds(number float64) time.Duration {
	return time.Duration(number * float64(time.Second))
}
