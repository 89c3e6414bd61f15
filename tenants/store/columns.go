package store

import "strings"

// A row type of the hot path names its columns once, in a constant, and beside it their places, in
// fields. Reading, inserting and updating all use these two.

// values are what the places of a row's columns hold, as arguments of a statement.
func values(fields []any) []any {
	for i, f := range fields {
		switch p := f.(type) {
		case *uuid:
			fields[i] = *p
		case *string:
			fields[i] = *p
		case *int64:
			fields[i] = *p
		case *int:
			fields[i] = int64(*p)
		case *bool:
			fields[i] = *p
		case *float64:
			fields[i] = *p
		}
	}
	return fields
}

// names splits a list of columns.
func names(columns string) []string { return strings.Split(columns, ", ") }

// settings is the SET of an UPDATE of the columns.
func settings(columns string) string { return strings.Join(names(columns), " = ?, ") + " = ?" }

// places are as many ? as there are columns.
func places(columns string) string { return "?" + strings.Repeat(", ?", strings.Count(columns, ",")) }

// replaced is the DO UPDATE SET of an upsert of the columns.
func replaced(columns string) string {
	all := names(columns)
	for i, c := range all {
		all[i] = c + " = excluded." + c
	}
	return strings.Join(all, ", ")
}
