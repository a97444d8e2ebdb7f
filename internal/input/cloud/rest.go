package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// rest is an API that answers with a JSON object, and with {"error": {"message"}} where it refuses:
// Google's and Azure's.
type rest struct {
	provider
	send func(ctx context.Context, url string) (*http.Response, error) // with the credentials, and as often as it is worth
}

// get returns the answer to a GET of url.
func (a rest) get(ctx context.Context, r request, url string) ([]byte, error) {
	resp, err := a.send(ctx, url)
	if err != nil {
		return nil, a.failed(r, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, a.failed(r, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, a.refused(r, resp.StatusCode, refusal(body))
	}
	if err := isObject(body); err != nil {
		return nil, a.failed(r, err)
	}
	return body, nil
}

// one returns the answer to a GET of url as a document.
func (a rest) one(ctx context.Context, r request, url string) ([]answer, error) {
	body, err := a.get(ctx, r, url)
	if err != nil {
		return nil, err
	}
	return []answer{{r, body}}, nil
}

// list gets all pages of a list, each a document of its own. The key more of a page holds what next
// turns into the URL of the next page; it is no longer in the document.
func (a rest) list(ctx context.Context, r request, url, more string, next func(string) (string, error)) ([]answer, error) {
	var pages []answer
	for size := 0; len(pages) < maxPages; {
		body, err := a.get(ctx, r, url)
		if err != nil {
			return nil, err
		}
		if size += len(body); size > maxBody {
			return nil, a.failed(r, errTooLarge)
		}
		var page map[string]json.RawMessage
		var token string
		if err = json.Unmarshal(body, &page); err == nil && page[more] != nil {
			err = json.Unmarshal(page[more], &token)
		}
		if err == nil {
			err = whole(page)
		}
		if err == nil && token != "" {
			delete(page, more)
			body, _ = json.Marshal(page)
			url, err = next(token)
		}
		if err != nil {
			return nil, a.failed(r, err)
		}
		if pages = append(pages, answer{r, body}); token == "" {
			return pages, nil
		}
	}
	return nil, a.failed(r, fmt.Errorf("the list has more than %d pages", maxPages))
}

// whole returns an error if a page says that it leaves something out, as lists over all regions
// may.
func whole(page map[string]json.RawMessage) error {
	var missing []string
	if list := page["unreachables"]; list != nil && json.Unmarshal(list, &missing) == nil && len(missing) > 0 {
		return fmt.Errorf("%s could not be reached", missing[0])
	}
	return nil
}

// refusal reads what a refusal says, "" where it cannot be read.
func refusal(body []byte) string {
	var r struct{ Error struct{ Message string } }
	if json.Unmarshal(body, &r) != nil {
		return ""
	}
	return r.Error.Message
}

// isObject tells a JSON object from what is cut off, or is some page of a proxy.
func isObject(body []byte) error {
	text := bytes.TrimSpace(body)
	switch {
	case len(text) == 0 || text[0] != '{':
		return errors.New("the answer is no JSON object")
	case !json.Valid(text):
		return errors.New("the answer is no JSON, or was cut off")
	}
	return nil
}
