package discover

import "strings"

// Limits on command lines, which come from untrusted manifests.
const (
	maxScript = 64 << 10 // bytes read of one script
	maxWords  = 4096     // words kept of one script
	maxDepth  = 5        // commands inside commands
)

// words splits a shell script into its simple commands, each a list of words without their quotes.
// It knows quotes, escapes, comments and the operators that end a command; expansions stay as
// written. Whatever is malformed is read to its end as one word.
func words(script string) [][]string {
	s := splitter{text: script[:min(len(script), maxScript)]}
	for s.pos < len(s.text) && s.count < maxWords {
		s.step()
	}
	s.endCommand()
	return s.commands
}

type splitter struct {
	text     string
	pos      int
	word     strings.Builder
	inWord   bool // also for an empty quoted word
	command  []string
	commands [][]string
	count    int
}

// step reads one character, one quoted stretch or one expansion.
func (s *splitter) step() {
	c := s.text[s.pos]
	switch {
	case c == '\'':
		s.take(s.until("'", 1))
	case c == '"':
		s.doubleQuoted()
	case c == '\\':
		if s.pos+1 < len(s.text) && s.text[s.pos+1] != '\n' {
			s.take(s.text[s.pos+1 : s.pos+2])
		}
		s.pos += 2
	case c == '$' && strings.HasPrefix(s.text[s.pos:], "$("):
		s.take("$(" + s.until(")", 2) + ")")
	case c == '#' && !s.inWord:
		s.until("\n", 1)
		s.endCommand()
	case c == ' ' || c == '\t' || c == '\r':
		s.endWord()
		s.pos++
	case c == '&' && s.pos > 0 && s.text[s.pos-1] == '>', c == '&' && strings.HasPrefix(s.text[s.pos:], "&>"):
		s.take("&") // a redirection, not the end of a command
		s.pos++
	case strings.IndexByte(";&|()\n", c) >= 0:
		s.endCommand()
		s.pos++
	default:
		s.take(s.text[s.pos : s.pos+1])
		s.pos++
	}
}

// take adds text to the current word.
func (s *splitter) take(text string) {
	s.word.WriteString(text)
	s.inWord = true
}

// until skips n characters and returns what follows up to end, moving beyond end; without an end it
// is the rest.
func (s *splitter) until(end string, n int) string {
	rest := s.text[s.pos+n:]
	text, _, found := strings.Cut(rest, end)
	s.pos += n + len(text)
	if found {
		s.pos += len(end)
	}
	return text
}

func (s *splitter) doubleQuoted() {
	s.take("")
	for s.pos++; s.pos < len(s.text); s.pos++ {
		c := s.text[s.pos]
		if c == '"' {
			s.pos++
			return
		}
		if c == '\\' && s.pos+1 < len(s.text) && strings.IndexByte("\"\\$`\n", s.text[s.pos+1]) >= 0 {
			s.pos++
			if c = s.text[s.pos]; c == '\n' {
				continue
			}
		}
		s.word.WriteByte(c)
	}
}

func (s *splitter) endWord() {
	if s.inWord {
		s.command = append(s.command, s.word.String())
		s.count++
	}
	s.word.Reset()
	s.inWord = false
}

func (s *splitter) endCommand() {
	s.endWord()
	if len(s.command) > 0 {
		s.commands = append(s.commands, s.command)
		s.command = nil
	}
}
