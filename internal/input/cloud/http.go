package cloud

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// newClient returns the client through which every API is asked. Proxies are those of the
// environment. It follows no redirect, since none of the APIs redirects and what it carries is not
// for others.
func newClient() *http.Client {
	return &http.Client{
		Transport:     guard{http.DefaultTransport.(*http.Transport).Clone()},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       time.Minute,
	}
}

// guard refuses to send credentials in clear, and to read without end.
type guard struct{ next http.RoundTripper }

func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkURL(req.URL); err != nil {
		return nil, final{err}
	}
	resp, err := g.next.RoundTrip(req)
	if err == nil {
		resp.Body = &bounded{resp.Body, maxBody}
	}
	return resp, err
}

// checkURL refuses an endpoint without TLS, unless it is on this machine.
func checkURL(u *url.URL) error {
	switch {
	case u.Host == "" || u.User != nil:
		return errors.New("an endpoint is a URL such as https://api.example.com")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%s is no https endpoint", u.Scheme+"://"+u.Host)
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// endpoint returns the base of an API's URLs: what was given, or else what is usual.
func endpoint(given, usual string) (string, error) {
	if given == "" {
		return usual, nil
	}
	u, err := url.Parse(given)
	if err != nil {
		return "", errors.New("an endpoint is a URL such as https://api.example.com")
	}
	if err := checkURL(u); err != nil {
		return "", err
	}
	return strings.TrimSuffix(given, "/"), nil
}

// final is an error that another attempt would not mend.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// NonRetriable tells the Azure SDK.
func (final) NonRetriable() {}

// RetryableError tells that of AWS.
func (final) RetryableError() bool { return false }

var errTooLarge = fmt.Errorf("the answer is larger than %d MiB", maxBody>>20)

// bounded is a body that fails when more than left is read of it, after decompression.
type bounded struct {
	io.ReadCloser
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if b.left -= n; b.left < 0 {
		return 0, final{errTooLarge}
	}
	return n, err
}

// retries reports whether an answer with this status, or the lack of one, may come out better next
// time.
func retries(status int, err error) bool {
	var f final
	var n net.Error
	switch {
	case errors.As(err, &f):
		return false
	case err != nil:
		return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.As(err, &n)
	}
	return status == 429 || status >= 500 && status != 501
}

// wait returns how long to wait before the attempt after the nth, the first being 1: what the
// answer asks for, or twice as long each time. It reports false where the answer asks for longer
// than it is waited here.
func wait(n int, header http.Header) (time.Duration, bool) {
	asked := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(asked); err == nil {
		d := time.Duration(seconds) * time.Second
		return d, 0 <= seconds && seconds <= int(maxPause/time.Second)
	}
	if at, err := http.ParseTime(asked); err == nil {
		d := max(0, time.Until(at))
		return d, d <= maxPause
	}
	d := pause << (n - 1)
	return d/2 + rand.N(d), true
}
