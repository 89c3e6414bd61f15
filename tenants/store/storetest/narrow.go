package storetest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// narrow reads a statement as far as it must to say which of its tables it does not narrow to one
// tenant: each table with tenant_id, at each level of the statement, needs a condition of its own
// that always holds, `tenant_id = ?` or equality with the tenant_id of a table that has one. A
// tenant_id among what is selected, under an OR or in another table's condition counts for nothing.
type narrow struct {
	owned  map[string]bool
	faults []string
}

// loose names what a statement leaves open.
func loose(q string, owned map[string]bool) []string {
	n := &narrow{owned: owned}
	n.statement(group(words.FindAllString(literals.ReplaceAllString(q, "''"), -1)))
	return n.faults
}

var words = regexp.MustCompile(`[A-Za-z_][\w.]*|\d+|''|<>|<=|>=|\|\||[^\s]`)

// node is a word, or what is in parentheses.
type node struct {
	word string
	in   []node // in parentheses
	deep bool
}

func group(all []string) []node {
	stack := [][]node{nil}
	for _, w := range all {
		last := len(stack) - 1
		switch {
		case w == "(":
			stack = append(stack, nil)
		case w == ")" && last > 0:
			stack[last-1] = append(stack[last-1], node{in: stack[last], deep: true})
			stack = stack[:last]
		default:
			stack[last] = append(stack[last], node{word: w})
		}
	}
	return stack[0]
}

func (n *narrow) statement(s []node) {
	switch {
	case begins(s, "INSERT", "INTO"):
		n.insert(s)
	case begins(s, "UPDATE"):
		set := until(s, "SET")
		if n.owned[s[1].word] && s[1].word != "sign_ins" { // whose tenant is only where a person looks
			for i, x := range s[set:] {
				if x.word == "tenant_id" && (s[set+i-1].word == "SET" || s[set+i-1].word == ",") {
					n.faults = append(n.faults, "SET tenant_id gives a row of "+s[1].word+" away")
				}
			}
		}
		n.level(s[1:set], s[set:], nil)
	case begins(s, "DELETE", "FROM"):
		where := until(s, "WHERE")
		n.level(s[2:where], s[where:], nil)
	default:
		n.selects(s, nil)
	}
}

// insert: the row says whose it is, what it comes from is narrowed, and what it may change instead
// is its own tenant's.
func (n *narrow) insert(s []node) {
	table := s[2].word
	has := func(list []node) bool {
		return slices.ContainsFunc(list, func(x node) bool { return x.word == "tenant_id" })
	}
	if n.owned[table] && !(len(s) > 3 && has(s[3].in)) {
		n.faults = append(n.faults, "INSERT INTO "+table+" without tenant_id")
	}
	conflict := until(s, "CONFLICT")
	if n.owned[table] && conflict < len(s) && slices.ContainsFunc(s[conflict:], func(x node) bool { return x.word == "UPDATE" }) &&
		!has(s[conflict+1].in) {
		n.faults = append(n.faults, "ON CONFLICT without tenant_id can change another's row of "+table)
	}
	if from := until(s, "SELECT"); from < len(s) {
		n.selects(s[from:min(conflict, len(s))], nil)
	}
}

// selects reads the selects of a UNION. outer are the tables around them that are narrowed.
func (n *narrow) selects(s []node, outer map[string]bool) {
	for {
		end := until(s, "UNION")
		one := s[:end]
		from := until(one, "FROM")
		after := from + until(one[from:], "WHERE", "GROUP", "ORDER", "LIMIT", "HAVING", "FOR")
		if from < len(one) {
			n.level(one[from+1:after], append(slices.Clone(one[:from]), one[after:]...), outer)
		} else {
			n.inside(one, outer)
		}
		if end == len(s) {
			return
		}
		s = s[end+1:]
		if begins(s, "ALL") {
			s = s[1:]
		}
	}
}

// level is one FROM with the rest of its statement.
func (n *narrow) level(from, rest []node, outer map[string]bool) {
	sources, on := n.sources(from, outer)
	fast := map[string]bool{}
	for alias := range outer {
		fast[alias] = true
	}
	for _, s := range sources {
		if !s.owned {
			fast[s.alias] = true
		}
	}
	conditions := on
	if where := until(rest, "WHERE"); where < len(rest) {
		end := where + until(rest[where:], "GROUP", "ORDER", "LIMIT", "HAVING", "FOR", "RETURNING")
		for _, c := range conjuncts(rest[where+1 : end]) {
			conditions = append(conditions, condition{of: c})
		}
	}
	for range sources { // each turn may narrow one more
		for _, c := range conditions {
			c.narrows(sources, fast)
		}
	}
	for _, s := range sources {
		if !fast[s.alias] {
			n.faults = append(n.faults, fmt.Sprintf("%s is not narrowed", s.table))
		}
	}
	for _, c := range conditions {
		if c.to != "" {
			n.inside(c.of, fast)
		}
	}
	n.inside(rest, fast)
}

// source is one table or subselect of a FROM.
type source struct {
	table, alias string
	owned        bool
}

// sources reads the tables of a FROM and the conditions they are joined on.
func (n *narrow) sources(from []node, outer map[string]bool) (out []source, on []condition) {
	for len(from) > 0 {
		end := until(from, "JOIN", ",")
		one := from[:end]
		for len(one) > 0 && slices.Contains([]string{"LEFT", "INNER", "CROSS", "OUTER"}, one[len(one)-1].word) {
			one = one[:len(one)-1] // belongs to the JOIN behind it
		}
		if from = from[end:]; len(from) > 0 {
			from = from[1:]
		}
		if len(one) == 0 {
			continue
		}
		joined := until(one, "ON")
		s := source{table: one[0].word, alias: one[joined-1].word, owned: n.owned[one[0].word]}
		if one[0].deep {
			s.table = "a subselect"
			n.inside(one[:1], outer)
		}
		out = append(out, s)
		if joined < len(one) {
			for _, c := range conjuncts(one[joined+1:]) {
				on = append(on, condition{of: c, to: s.alias})
			}
		}
	}
	return out, on
}

// inside reads the subselects among nodes.
func (n *narrow) inside(s []node, outer map[string]bool) {
	for _, x := range s {
		switch {
		case !x.deep:
		case begins(x.in, "SELECT"):
			n.selects(x.in, outer)
		default:
			n.inside(x.in, outer)
		}
	}
}

// condition must hold for each row; to is the table that it joins, which alone it narrows: of a
// LEFT JOIN the other side stays.
type condition struct {
	of []node
	to string
}

func (c condition) narrows(sources []source, fast map[string]bool) {
	if len(c.of) != 3 || c.of[1].word != "=" {
		return
	}
	left, l := tenantOf(c.of[0].word, sources)
	right, r := tenantOf(c.of[2].word, sources)
	mark := func(alias string) {
		if c.to == "" || c.to == alias {
			fast[alias] = true
		}
	}
	switch {
	case l && c.of[2].word == "?":
		mark(left)
	case l && r && fast[right] && left != right:
		mark(left)
	case l && r && fast[left] && left != right:
		mark(right)
	}
}

// tenantOf is whose tenant_id a word is; without a name before it, of the only table there is.
func tenantOf(word string, sources []source) (string, bool) {
	if word == "tenant_id" && len(sources) == 1 {
		return sources[0].alias, true
	}
	return strings.CutSuffix(word, ".tenant_id")
}

// conjuncts are the conditions that must all hold; under an OR none must.
func conjuncts(s []node) (out [][]node) {
	if until(s, "OR") < len(s) {
		return nil
	}
	for {
		end := until(s, "AND")
		one := s[:end]
		if len(one) == 1 && one[0].deep && !begins(one[0].in, "SELECT") {
			out = append(out, conjuncts(one[0].in)...)
		} else {
			out = append(out, one)
		}
		if end == len(s) {
			return out
		}
		s = s[end+1:]
	}
}

func begins(s []node, words ...string) bool {
	for i, w := range words {
		if i >= len(s) || s[i].word != w {
			return false
		}
	}
	return true
}

// until is the place of the first of the words, or the end.
func until(s []node, words ...string) int {
	for i, x := range s {
		if slices.Contains(words, x.word) {
			return i
		}
	}
	return len(s)
}
