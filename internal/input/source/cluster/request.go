package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"time"

	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// statusError is an answer that is no success.
type statusError struct {
	code    int
	reason  string // of the API server's Status; "" if it sent none
	message string
}

func (e *statusError) Error() string {
	text := strconv.Itoa(e.code)
	if name := http.StatusText(e.code); name != "" {
		text += " " + name
	}
	if e.message != "" {
		text += ": " + e.message
	}
	return text
}

var errTooLarge = errors.New("the answer is too large")

// get asks for one path, again where that may help, and returns the body of a success. accept is
// the media type.
func (c *Client) get(ctx context.Context, at string, query url.Values, accept string) ([]byte, error) {
	wait := c.limits.wait
	for try := 1; ; try++ {
		body, after, err := c.try(ctx, at, query, accept)
		if err == nil || try == c.limits.tries || ctx.Err() != nil || !isPassing(err) {
			return body, err
		}
		pause := wait + rand.N(wait/2+1)
		if after > 0 {
			pause = min(after, c.limits.longest)
		}
		wait *= 2
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// isPassing reports whether the same request may succeed later: the server is busy or starting, or
// the connection broke.
func isPassing(err error) bool {
	var status *statusError
	if errors.As(err, &status) {
		return status.code == http.StatusTooManyRequests || status.code >= 500 && status.code != http.StatusNotImplemented
	}
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op) && op.Op == "read"
}

// try makes one request. after is how long the server asks to wait before the next.
func (c *Client) try(ctx context.Context, at string, query url.Values, accept string) (body []byte, after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.request)
	defer cancel()
	to := *c.base
	to.Path, to.RawQuery = path.Join("/", to.Path, at), query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", accept)
	resp, err := c.http.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // the address with its query says nothing to a user
			err = fmt.Errorf("%s: %w", to.Host, wrapped.Err)
		}
		return nil, 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return nil, time.Duration(min(max(seconds, 0), 1<<16)) * time.Second, failure(resp)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, c.limits.body+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("the answer broke off: %w", err)
	case int64(len(body)) > c.limits.body:
		return nil, 0, fmt.Errorf("%w: more than %d MiB", errTooLarge, c.limits.body>>20)
	}
	return body, 0, nil
}

// maxStatus bounds what is read of an answer that is no success.
const maxStatus = 64 << 10

func failure(resp *http.Response) error {
	e := &statusError{code: resp.StatusCode}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxStatus))
	var status struct{ Kind, Reason, Message string }
	if json.Unmarshal(body, &status) == nil && status.Kind == "Status" {
		e.reason, e.message = doc.Clean(status.Reason, 40), doc.Clean(status.Message, maxMessage)
	}
	return e
}
