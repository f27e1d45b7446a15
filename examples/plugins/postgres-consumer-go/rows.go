package main

import (
	"strings"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

// rows are what is written at once, as columns.
type rows struct {
	types, ids         []string
	positions          []int64
	payloads, metadata []string
}

// rowsOf returns the rows of a delivery; of several with one type and id the last.
func rowsOf(delivery cdpplugin.Delivery) rows {
	type key struct{ kind, id string }
	batch, places := delivery.Batch, map[key]int{}
	for row := range batch.Len() {
		places[key{batch.Types.At(row), batch.IDs.At(row)}] = row
	}
	var found rows
	for row := range batch.Len() {
		kind, id := batch.Types.At(row), batch.IDs.At(row)
		if places[key{kind, id}] != row {
			continue
		}
		found.types = append(found.types, kind)
		found.ids = append(found.ids, id)
		found.positions = append(found.positions, delivery.Positions[row])
		found.payloads = append(found.payloads, or(batch.Payloads.At(row), "null"))
		found.metadata = append(found.metadata, or(batch.Metadata.At(row), "{}"))
	}
	return found
}

func or(text []byte, fallback string) string {
	if len(text) == 0 {
		return fallback
	}
	return string(text)
}

// sql returns a statement about the table that is configured.
func (s settings) sql(statement string) string {
	return strings.Replace(statement, "%table%", s.table, 1)
}
