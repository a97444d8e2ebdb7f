// Package spell finds what a misspelt name was meant to be.
package spell

import "strings"

// Nearest returns the name that takes the fewest changes to make of word, without regard to case;
// the first of several. ok is false if every name takes more changes than most allows for it.
func Nearest(word string, names []string, most func(name string) int) (near string, ok bool) {
	word = strings.ToLower(word)
	least := 0
	for _, name := range names {
		limit := most(name)
		if ok {
			limit = min(limit, least-1)
		}
		if d := Distance(word, strings.ToLower(name), limit); d <= limit {
			near, least, ok = name, d, true
		}
	}
	return near, ok
}

// Distance returns how many bytes to change, insert or remove to make b of a, or most+1 if more
// than most: "kitten" to "sitting" is 3. It stops as soon as that is certain, so that a long text
// costs little.
func Distance(a, b string, most int) int {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > most {
		return most + 1
	}
	row := make([]int, len(a)+1) // the distances of each a[:i] from what was read of b
	for i := range row {
		row[i] = i
	}
	for j := range len(b) {
		diagonal, least := row[0], j+1
		row[0] = j + 1
		for i := range len(a) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[i+1]
			row[i+1] = min(change, row[i]+1, row[i+1]+1)
			least = min(least, row[i+1])
		}
		if least > most {
			return most + 1
		}
	}
	return min(row[len(a)], most+1)
}
