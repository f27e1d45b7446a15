package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

const limit = 3

// serve answers as Horizon does: the records after the cursor, in pages.
func serve(t *testing.T, records int, before func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before != nil && before(w, r) {
			return
		}
		query := r.URL.Query()
		if query.Get("order") != "asc" || query.Get("limit") != strconv.Itoa(limit) || query.Get("asset") != "native" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		first, _ := strconv.Atoi(query.Get("cursor"))
		page := []string{}
		for number := first + 1; number <= min(records, first+limit); number++ {
			page = append(page, fmt.Sprintf(`{"paging_token":"%d","amount":9007199254740993.10}`, number))
		}
		fmt.Fprintf(w, `{"_links":{},"_embedded":{"records":[%s]}}`, join(page))
	}))
	t.Cleanup(server.Close)
	return server.URL + "/payments?asset=native"
}

func join(texts []string) (all string) {
	for number, text := range texts {
		if number > 0 {
			all += ","
		}
		all += text
	}
	return all
}

// configured returns a source; more are keys of its configuration beside those that it needs.
func configured(t *testing.T, url string, more map[string]any) *source {
	t.Helper()
	config := map[string]any{"url": url, "type": "payment", "limit": limit, "follow": false}
	for name, value := range more {
		config[name] = value
	}
	text, _ := json.Marshal(config)
	made := &source{}
	if err := made.Configure(context.Background(), text); err != nil {
		t.Fatal(err)
	}
	return made
}

// read returns the ids that a source gives, and the batches they came in.
func read(source *source, after *cdpplugin.Resume) (ids []string, batches []cdpplugin.SourceBatch, err error) {
	err = source.Read(context.Background(), after, func(batch cdpplugin.SourceBatch) error {
		batches = append(batches, batch)
		for row := range batch.Batch.Len() {
			ids = append(ids, batch.Batch.IDs.At(row))
		}
		return nil
	})
	return ids, batches, err
}

// All records come, in pages, each with its position, and every digit as it was.
func TestReads(t *testing.T) {
	ids, batches, err := read(configured(t, serve(t, 7, nil), nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	expected := "[payment:1 payment:2 payment:3 payment:4 payment:5 payment:6 payment:7]"
	if got := fmt.Sprint(ids); expected != got {
		t.Errorf("expected %s, got %s", expected, got)
	}
	last := batches[2]
	if fmt.Sprint(last.Positions) != "[7]" || string(last.Token) != "7 7" {
		t.Errorf("got %v and %q", last.Positions, last.Token)
	}
	if payload := string(last.Batch.Payloads.At(0)); payload != `{"paging_token":"7","amount":9007199254740993.10}` {
		t.Errorf("got %s", payload)
	}
}

// A reading goes on behind the cursor of its token, and counts on.
func TestResumes(t *testing.T) {
	source := configured(t, serve(t, 7, nil), nil)
	ids, batches, err := read(source, &cdpplugin.Resume{Position: 5, Token: []byte("5 5")})
	if err != nil || fmt.Sprint(ids) != "[payment:6 payment:7]" || batches[0].Positions[0] != 6 {
		t.Errorf("got %v at %v, %v", ids, batches[0].Positions, err)
	}
}

// The first reading begins after the cursor that is configured.
func TestBegins(t *testing.T) {
	ids, batches, _ := read(configured(t, serve(t, 7, nil), map[string]any{"cursor": "6"}), nil)
	if fmt.Sprint(ids) != "[payment:7]" || batches[0].Positions[0] != 1 {
		t.Errorf("got %v", ids)
	}
}

// A source that follows asks again after an empty page, until it is no longer read.
func TestFollows(t *testing.T) {
	asked := 0
	ctx, cancel := context.WithCancel(context.Background())
	url := serve(t, 1, func(http.ResponseWriter, *http.Request) bool {
		if asked++; asked == 4 {
			cancel()
		}
		return false
	})
	source := configured(t, url, map[string]any{"follow": true, "poll_interval": 0.001})
	err := source.Read(ctx, nil, func(cdpplugin.SourceBatch) error { return nil })
	if !errors.Is(err, context.Canceled) || asked < 4 {
		t.Errorf("got %v after %d", err, asked)
	}
}

// A server that is busy or away is asked again, when it wants to be; its health says so meanwhile.
func TestRetries(t *testing.T) {
	for status, header := range map[int]string{429: "7", 503: time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), 500: ""} {
		url := serve(t, 1, func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(status)
			return true
		})
		source := configured(t, url, nil)
		_, _, err := read(source, nil)
		var retry cdpplugin.Retry
		if !errors.As(err, &retry) {
			t.Fatalf("%d: expected a retry, got %v", status, err)
		}
		least := map[int]time.Duration{429: 7 * time.Second, 503: time.Minute, 500: 0}[status]
		if retry.After < least || source.Health(context.Background()).Status != cdpplugin.Degraded {
			t.Errorf("%d: got %v", status, retry.After)
		}
	}
	_, _, err := read(configured(t, "http://127.0.0.1:1/?secret=1", nil), nil)
	var retry cdpplugin.Retry
	if !errors.As(err, &retry) || retry.Code != "http_source.server_away" {
		t.Errorf("got %v", err)
	}
}

// A server may redirect, not for ever; headers, which may hold a key, go to no other server.
func TestRedirects(t *testing.T) {
	var got []string
	other := serve(t, 1, func(_ http.ResponseWriter, r *http.Request) bool {
		got = append(got, r.Header.Get("X-Api-Key"))
		return false
	})
	url := serve(t, 1, func(w http.ResponseWriter, r *http.Request) bool {
		got = append(got, r.Header.Get("X-Api-Key"))
		http.Redirect(w, r, strings.TrimSuffix(other, "/payments?asset=native")+r.URL.String(), http.StatusFound)
		return true
	})
	ids, _, err := read(configured(t, url, map[string]any{"headers": map[string]string{"X-Api-Key": "k"}}), nil)
	if err != nil || fmt.Sprint(ids) != "[payment:1]" || fmt.Sprint(got) != "[k  k ]" {
		t.Errorf("got %v with the keys %q, %v", ids, got, err)
	}
	circle := serve(t, 1, func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "/again", http.StatusFound)
		return true
	})
	_, _, err = read(configured(t, circle, nil), nil)
	var retry cdpplugin.Retry
	if !errors.As(err, &retry) || !strings.Contains(retry.Message, "redirects more than 10 times") {
		t.Errorf("got %v", err)
	}
}

// A page that does not come in time is tried again.
func TestTimeout(t *testing.T) {
	url := serve(t, 1, func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	_, _, err := read(configured(t, url, map[string]any{"timeout": 0.05}), nil)
	var retry cdpplugin.Retry
	if !errors.As(err, &retry) || retry.Message != url[:len(url)-len("?asset=native")]+": no page within 0.05 s" {
		t.Errorf("got %v", err)
	}
}

// What cannot be used is an error that says what came.
func TestFaults(t *testing.T) {
	for body, code := range map[string]string{
		"<!DOCTYPE html>":                      "http_source.not_json",
		"":                                     "http_source.not_json",
		`{"error":"no"}`:                       "http_source.records_missing",
		`{"_embedded":{"records":[{"id":1}]}}`: "http_source.cursor_missing",
		`{"_embedded":{"records":{"id":1}}}`:   "http_source.records_missing",
		`{"_embedded":{"records":[{"paging_token":"9"}]}}`: "http_source.cursor_stuck",
	} {
		url := serve(t, 1, func(w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, body)
			return true
		})
		_, _, err := read(configured(t, url, map[string]any{"cursor": "9"}), nil)
		var fault cdpplugin.PluginError
		if !errors.As(err, &fault) || fault.Code != code || fault.Hint == "" {
			t.Errorf("%s: expected %s, got %v", body, code, err)
		}
	}
}

// A server that refuses stops the stream.
func TestRefused(t *testing.T) {
	source := configured(t, serve(t, 1, nil)+"x", nil)
	_, _, err := read(source, nil)
	var fatal cdpplugin.Fatal
	if !errors.As(err, &fatal) || fatal.Code != "http_source.refused" {
		t.Errorf("got %v", err)
	}
}

// Records may be anywhere, also a page that is a list, and a cursor may be a number.
func TestPaths(t *testing.T) {
	given := settings{Records: "", CursorField: "at.id"}
	records, err := given.recordsOf(answer{body: []byte(` [{"at":{"id":12345678901234567890}}]`)})
	if err != nil || records[0].cursor != "12345678901234567890" {
		t.Errorf("got %v, %v", records, err)
	}
}

// A configuration that cannot be used is refused, with what can be.
func TestConfiguration(t *testing.T) {
	for _, config := range []string{
		`{}`, `{"url":"ftp://x","type":"T"}`, `{"url":"http://x"}`, `{"url":"http://x","type":"T","limit":0}`,
		`{"url":"http://x","type":"T","pol_interval":1}`,
	} {
		_, err := settingsOf(json.RawMessage(config))
		var invalid cdpplugin.ConfigInvalid
		if !errors.As(err, &invalid) || invalid.Hint == "" {
			t.Errorf("%s: expected a refusal with a hint, got %v", config, err)
		}
	}
}
