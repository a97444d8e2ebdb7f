// Package cloud asks GKE, EKS and AKS what they know of one cluster's network.
//
// It obtains documents: the cluster first, then whatever the facts still need, as long as they do.
// What the documents mean is for package facts to say; they are the answers of the APIs, or the
// SDK's values as JSON, which say what the cloud's own command would have printed. Everything here
// reads: no request changes anything, and nothing is connected to but the cloud's APIs and, by its
// own library, its login service.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/doc"
	"github.com/toolmoat/toolmoat/internal/input/facts"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// What one run may cost.
const (
	maxTime  = 3 * time.Minute  // of all requests together
	maxBody  = 32 << 20         // bytes of one answer
	maxTotal = 128 << 20        // bytes of all documents
	maxPages = 200              // of one list
	maxItems = 50000            // of one list that an SDK reads
	maxAsked = 200              // documents that a cluster may lead to
	attempts = 4                // at one request
	pause    = time.Second / 4  // before the second attempt, doubled for each further one
	maxPause = 30 * time.Second // that an answer may ask for
	maxWords = 600              // characters of an answer's own words that are repeated
)

// Error says why a cloud did not give what it was asked for. Its text holds no credential and fits
// a terminal.
type Error struct {
	What string // what was asked for: "the GKE cluster prod in projects/p/locations/l"
	Why  string
	Hint string // what to do, "" where that is not known

	gap   bool     // the cloud's answer is that this is not to be had, so the rest may go on without it
	hides []string // what is not known then: fields of model.Facts
}

func (e *Error) Error() string { return e.What + ": " + e.Why }

// provider is the words of one cloud.
type provider struct {
	name  string
	login string         // the hint for who is not known to it
	lacks *regexp.Regexp // finds the missing permission in a refusal
}

// request is one thing to ask for.
type request struct {
	what       string   // names it in errors
	permission string   // it takes, as the cloud names it
	find       string   // the hint for who asked for something that is not there
	hides      []string // the fields of model.Facts that are not known without it
}

// answer is a document and what was asked.
type answer struct {
	to   request
	data []byte
}

// refused is the error for an answer with this status and message.
func (p provider) refused(r request, status int, message string) *Error {
	e := &Error{What: r.what, Why: fmt.Sprintf("%s answers with status %d", p.name, status), hides: r.hides}
	e.gap = 400 <= status && status < 500
	words := ""
	if message = line(message); message != "" {
		words = ": " + message
	}
	switch missing := p.lacks.FindStringSubmatch(message); {
	case status == http.StatusUnauthorized:
		e.Why, e.Hint, e.gap = p.name+" does not accept the credentials"+words, p.login, false
	case status == http.StatusForbidden && missing != nil:
		e.Why, e.Hint = "the caller lacks "+doc.Clean(missing[1], 100), "have it granted, or ask as someone who has it"
	case status == http.StatusForbidden:
		e.Why, e.Hint = p.name+" refuses it"+words, "it takes "+r.permission
	case status == http.StatusNotFound:
		e.Why, e.Hint = "there is none"+words, r.find
	case status == http.StatusTooManyRequests:
		e.Why, e.Hint, e.gap = p.name+" asks to slow down"+words, "try again later", false
	case status >= 500:
		e.Why, e.Hint = e.Why+words, "try again later"
	default:
		e.Why += words
	}
	return e
}

// failed is the error for a request that got no answer, or none that can be read.
func (p provider) failed(r request, err error) *Error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{What: r.what, Why: "no answer in time", Hint: "check the way to the API: HTTPS_PROXY sets a proxy"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{What: r.what, Why: "the answer was cut off", Hint: "try again"}
	}
	why := line(err.Error())
	var at *url.Error
	if errors.As(err, &at) { // without what a query says: tokens of pages, and what else an answer put into a link
		server := "the API"
		if u, e := url.Parse(at.URL); e == nil {
			server = u.Scheme + "://" + u.Host
		}
		why = line(server + " cannot be asked: " + at.Err.Error())
	}
	return &Error{What: r.what, Why: why}
}

// line is what a library or a cloud says, on one line fit for a terminal.
func line(text string) string { return doc.Clean(strings.Join(strings.Fields(text), " "), maxWords) }

// stranger is the error for credentials that are not there, or do not work.
func (p provider) stranger(r request, err error) *Error {
	e := p.failed(r, err)
	e.Hint = p.login
	return e
}

// errNotAsked says that a cluster names something that cannot be asked for.
var errNotAsked = errors.New("not to be asked for")

// complete asks for what also says, for what the answers leave open, and for what those leave open,
// until nothing new is. What cannot be had is unknown.
func complete(ctx context.Context, fetch func(context.Context, facts.Need) ([]answer, error), first []answer, also ...facts.Need) ([]source.File, []model.Unknown, error) {
	var files []source.File
	var unknown []model.Unknown
	size := 0
	add := func(answers []answer) {
		for _, a := range answers {
			size += len(a.data)
			files = append(files, source.File{Name: doc.Clean(strings.TrimPrefix(a.to.what, "the "), 300), Data: a.data})
		}
	}
	add(first)
	asked := map[facts.Need]bool{}
	for {
		before := len(asked)
		for _, n := range append(also, facts.Needs(files...)...) {
			if asked[n] {
				continue
			}
			if asked[n] = true; len(asked) > maxAsked {
				return nil, nil, &Error{What: first[0].to.what, Why: fmt.Sprintf("it names more than %d networks and subnets", maxAsked)}
			}
			answers, err := fetch(ctx, n)
			if add(answers); size > maxTotal {
				return nil, nil, &Error{What: first[0].to.what, Why: fmt.Sprintf("its networks take more than %d MiB to describe", maxTotal>>20)}
			}
			var e *Error
			switch {
			case err == nil, errors.Is(err, errNotAsked): // what is not asked for, the facts miss and name
			case errors.As(err, &e) && e.gap:
				for _, field := range e.hides {
					unknown = append(unknown, model.Unknown{What: field, Why: e.Error()})
				}
			default:
				return nil, nil, err
			}
		}
		if len(asked) == before {
			return files, unknown, nil
		}
	}
}
