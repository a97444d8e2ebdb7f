package feeds

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// Limits of a fetch.
const (
	maxRedirects   = 3
	maxHeader      = 1 << 10  // of one header that is kept
	maxHeaders     = 64 << 10 // of all together
	connectTimeout = 10 * time.Second
	fetchTimeout   = 2 * time.Minute // of everything, to the last byte
)

// fetcher gets documents from the internet, and from nowhere else: over TLS with a certificate that
// is verified, from public addresses, on port 443. What is set in it is for tests, which have a
// server of their own; the zero value is what commands use.
//
// Proxies are not used, those of the environment neither: with one, the names would be resolved
// where nothing can be checked. Who has to go through one fetches with a tool of his own, and
// passes the file to [Import].
type fetcher struct {
	dialer  func(*net.Dialer) dial // nil is the dialer itself
	roots   *x509.CertPool         // nil is the system's
	timeout time.Duration          // 0 is fetchTimeout
}

type dial func(ctx context.Context, network, address string) (net.Conn, error)

// answer is what a server said.
type answer struct {
	notModified        bool
	body               []byte
	etag, lastModified string
}

// get fetches a document, or learns that it has not changed since etag and lastModified, which may
// be empty.
func (f fetcher) get(ctx context.Context, address, etag, lastModified string) (*answer, error) {
	timeout := f.timeout
	if timeout == 0 {
		timeout = fetchTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if err := checkURL(req.URL); err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "toolmoat",
		"If-None-Match": etag, "If-Modified-Since": lastModified} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := f.client(timeout).Do(req)
	if err != nil {
		return nil, cause(err, timeout)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified && (etag != "" || lastModified != "") {
		return &answer{notModified: true}, nil
	}
	if err := checkHeaders(resp); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil {
		err = ctx.Err() // a server that sees us hang up may end the body in good form before the connection is gone
	}
	if err != nil {
		return nil, cause(err, timeout)
	}
	if len(body) > maxBody {
		return nil, errTooLarge
	}
	return &answer{body: body, etag: header(resp, "ETag"), lastModified: header(resp, "Last-Modified")}, nil
}

var errTooLarge = fmt.Errorf("the answer is larger than %d MiB", maxBody>>20)

func (f fetcher) client(timeout time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: connectTimeout, Control: guard}
	connect := dial(dialer.DialContext)
	if f.dialer != nil {
		connect = f.dialer(dialer)
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            connect,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: f.roots},
			TLSHandshakeTimeout:    connectTimeout,
			ResponseHeaderTimeout:  timeout,
			MaxResponseHeaderBytes: maxHeaders,
			DisableKeepAlives:      true,
			DisableCompression:     true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("redirected more than %d times", maxRedirects)
			}
			if err := checkURL(req.URL); err != nil {
				return fmt.Errorf("redirected to %s: %w", doc.Clean(req.URL.Scheme+"://"+req.URL.Host, 200), err) // a query may hold a signature
			}
			return nil
		},
	}
}

// checkURL refuses what is not fetched, before anything is resolved.
func checkURL(u *url.URL) error {
	addr, err := netip.ParseAddr(u.Hostname())
	switch {
	case u.Scheme != "https":
		return errors.New("only https is fetched")
	case u.User != nil:
		return errors.New("a URL with a user's name is not fetched")
	case u.Hostname() == "":
		return errors.New("a URL without a host is not fetched")
	case u.Port() != "" && u.Port() != "443":
		return errors.New("only port 443 is fetched from")
	case err == nil && !public(addr):
		return blocked(addr)
	}
	return nil
}

// guard refuses to connect to anything but a public address. It sees the address itself, at the
// moment of connecting: what the name resolved to earlier, or resolves to later, does not matter.
func guard(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	switch {
	case err != nil || !strings.HasPrefix(network, "tcp"):
		return fmt.Errorf("refused to connect to %s by %s", doc.Clean(address, 80), doc.Clean(network, 20))
	case !public(to.Addr()):
		return blocked(to.Addr())
	case to.Port() != 443:
		return errors.New("only port 443 is fetched from")
	}
	return nil
}

func blocked(a netip.Addr) error {
	return fmt.Errorf("refused to connect to %s, which is no public address", doc.Clean(a.String(), 80))
}

// nat64 translates to the IPv4 address in the last four bytes (RFC 6052, section 2.2).
var nat64 = netset.MustPrefixes("64:ff9b::/96")

// public reports whether a is an address of a host on the internet. IPv4 addresses in IPv6 are
// judged as what they are.
func public(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	return a.IsValid() && !notPublic.Contains(a)
}

// checkHeaders refuses an answer that cannot be a document, before its body is read.
func checkHeaders(resp *http.Response) error {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	isText := kind == "text/plain" || kind == "text/json" || kind == "application/octet-stream" || kind == "binary/octet-stream" // some providers' JSON
	switch {
	case resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("the server answers %d: too many requests, or not from here", resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("the server answers %d", resp.StatusCode)
	case err != nil || !isText && kind != "application/json" && !strings.HasSuffix(kind, "+json"):
		return fmt.Errorf("the answer is %q, and not JSON", doc.Clean(resp.Header.Get("Content-Type"), 60))
	case resp.Header.Get("Content-Encoding") != "" && resp.Header.Get("Content-Encoding") != "identity":
		return errors.New("the answer is compressed, which was not asked for")
	case resp.ContentLength > maxBody:
		return errTooLarge
	}
	return nil
}

// header returns a header that is to be sent back one day; "" if it is not fit for that.
func header(resp *http.Response, name string) string {
	if v := resp.Header.Get(name); len(v) <= maxHeader && isPrintable(v) {
		return v
	}
	return ""
}

// cause says what went wrong without the parts of the message that only repeat the request.
func cause(err error, timeout time.Duration) error {
	var net net.Error
	var inner *url.Error
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &net) && net.Timeout():
		return fmt.Errorf("no full answer in time: all of it may take %s", timeout)
	case errors.As(err, &inner):
		err = inner.Err
	}
	return errors.New(doc.Clean(err.Error(), 300))
}
