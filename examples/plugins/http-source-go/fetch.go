package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

const (
	// mostBytes is the size of the largest page that is read.
	mostBytes = 64 << 20
	// shownBytes is how much of an answer that cannot be used is shown.
	shownBytes = 200
	// mostRedirects is how often a server may redirect for one page.
	mostRedirects = 10
)

// answer is what came for a page.
type answer struct {
	body        []byte
	contentType string
}

// fetch gets the page after cursor. What is expected to pass is a Retry, which waits as long as the
// server asks for.
func (s *source) fetch(ctx context.Context, cursor string) (answer, error) {
	limited, cancel := context.WithTimeout(ctx, seconds(s.settings.Timeout))
	defer cancel()
	request, err := http.NewRequestWithContext(limited, http.MethodGet, s.settings.page(cursor), nil)
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Accept", "application/json")
	for name, value := range s.settings.Headers {
		request.Header.Set(name, value)
	}
	client := s.client
	client.CheckRedirect = s.redirected
	response, err := client.Do(request)
	if err != nil {
		return answer{}, s.away(ctx, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, mostBytes+1))
	if err != nil {
		return answer{}, s.away(ctx, err)
	}
	got := answer{body, response.Header.Get("Content-Type")}
	switch {
	case response.StatusCode == http.StatusTooManyRequests || response.StatusCode >= 500:
		return answer{}, cdpplugin.Retry{
			Message: fmt.Sprintf("%s answered %s", s.settings.place(), response.Status),
			Code:    "http_source.busy",
			After:   retryAfter(response.Header.Get("Retry-After"), time.Now()),
		}
	case response.StatusCode != http.StatusOK:
		return answer{}, cdpplugin.Fatal{
			Message: fmt.Sprintf("%s answered %s: %s", s.settings.place(), response.Status, got.shown()),
			Code:    "http_source.refused",
			Hint:    "correct `url` and `headers`",
		}
	case len(body) > mostBytes:
		return answer{}, cdpplugin.Fatal{
			Message: fmt.Sprintf("%s: a page is larger than %d bytes", s.settings.place(), mostBytes),
			Code:    "http_source.page_too_large",
			Hint:    "set a lower `limit`",
		}
	}
	return got, nil
}

// redirected follows a server that redirects. The headers may hold a key: another server gets none.
func (s *source) redirected(request *http.Request, via []*http.Request) error {
	if len(via) >= mostRedirects {
		return fmt.Errorf("it redirects more than %d times", mostRedirects)
	}
	if first := via[0].URL; request.URL.Scheme != first.Scheme || request.URL.Host != first.Host {
		for name := range s.settings.Headers {
			request.Header.Del(name)
		}
	}
	return nil
}

// away is the error of a server that cannot be reached; that of ctx itself stays as it is.
func (s *source) away(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	why := err.Error()
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		why = fmt.Sprintf("no page within %g s", s.settings.Timeout)
	} else if inner := errors.Unwrap(err); inner != nil {
		why = inner.Error() // the outer one repeats the address with its query
	}
	return cdpplugin.Retry{
		Message: s.settings.place() + ": " + why, Code: "http_source.server_away",
		Hint: "see that the server can be reached, and that the pipeline grants `network`",
	}
}

// retryAfter reads the header of that name, in seconds or a date; 0 where it says nothing.
func retryAfter(header string, now time.Time) time.Duration {
	if number, err := strconv.ParseUint(strings.TrimSpace(header), 10, 31); err == nil {
		return time.Duration(number) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

// shown is the beginning of an answer, for people.
func (a answer) shown() string {
	text := strings.Join(strings.Fields(string(a.body[:min(len(a.body), shownBytes)])), " ")
	if text == "" {
		text = "(nothing)"
	}
	return strings.TrimSpace(a.contentType + " `" + strings.ToValidUTF8(text, "\uFFFD") + "`")
}
