package cdpplugin

import (
	"context"
	"errors"
)

// answered has the plugin work on a batch. One that fails as a whole is halved until the bad row is
// alone, so that it costs no other; a retry and a fatal error are the host's to act on.
func answered(ctx context.Context, processor Processor, stateful bool, batch *Batch) (*Outputs, error) {
	outputs, err := attempt(ctx, processor, batch)
	if err == nil || ctx.Err() != nil || stopsBatch(err) {
		return outputs, err
	}
	rows := batch.Len()
	if reason, dropped := asDrop(err); dropped {
		return &Outputs{Dropped: map[string]int{reason: rows}}, nil
	}
	if rows <= 1 || stateful || batch.Encoding == EncodingArrow {
		failed := &Outputs{Errors: map[int]error{}}
		for row := range rows {
			failed.Errors[row] = err
		}
		return failed, nil
	}
	first, err := answered(ctx, processor, stateful, batch.Slice(0, rows/2))
	if err != nil {
		return nil, err
	}
	second, err := answered(ctx, processor, stateful, batch.Slice(rows/2, rows))
	if err != nil {
		return nil, err
	}
	return joined(first, second, rows/2)
}

// attempt has the plugin work on a batch, and checks what it answers.
func attempt(ctx context.Context, processor Processor, batch *Batch) (outputs *Outputs, err error) {
	err = guard(func() (err error) {
		outputs, err = processor.ProcessBatch(ctx, batch)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case outputs == nil:
		return &Outputs{}, nil
	}
	return outputs, outputs.check(batch.Len())
}

// stopsBatch tells whether err is an instruction that no half of the batch would change.
func stopsBatch(err error) bool {
	var instruction known
	if !errors.As(err, &instruction) {
		return false
	}
	switch instruction.(type) {
	case Retry, *Retry, Fatal, *Fatal:
		return true
	}
	return false
}

// joined returns the answers to the two halves of a batch, the second of which begins at row middle,
// as the answer to the whole.
func joined(first, second *Outputs, middle int) (*Outputs, error) {
	batch, err := concat(first.Batch, second.Batch)
	if err != nil {
		return nil, err
	}
	whole := &Outputs{Batch: batch, Rows: []int{}, Errors: map[int]error{}, Dropped: map[string]int{}}
	for offset, half := range map[int]*Outputs{0: first, middle: second} {
		for row, err := range half.Errors {
			whole.Errors[row+offset] = err
		}
		for reason, rows := range half.Dropped {
			whole.Dropped[reason] += rows
		}
	}
	whole.Rows = append(whole.Rows, first.inputRows()...)
	for _, row := range second.inputRows() {
		whole.Rows = append(whole.Rows, row+middle)
	}
	return whole, nil
}

// inputRows returns the input row of each output.
func (o *Outputs) inputRows() []int {
	if o.Rows != nil {
		return o.Rows
	}
	rows := make([]int, o.Batch.Len())
	for row := range rows {
		rows[row] = row
	}
	return rows
}

// concat returns two batches as one. It fails where their payloads have forms that do not mix.
func concat(one, other *Batch) (*Batch, error) {
	switch {
	case one.Len() == 0:
		return other, nil
	case other.Len() == 0:
		return one, nil
	}
	encoding, err := sharedEncoding(one, other)
	if err != nil {
		return nil, err
	}
	rows := [2]int{one.Rows, other.Rows}
	return &Batch{
		Rows: one.Rows + other.Rows, Encoding: encoding,
		IDs:          concatColumns(one.IDs, other.IDs, rows),
		Types:        concatColumns(one.Types, other.Types, rows),
		Payloads:     concatColumns(one.Payloads, other.Payloads, rows),
		Metadata:     concatColumns(one.Metadata, other.Metadata, rows),
		Sources:      concatColumns(one.Sources, other.Sources, rows),
		TraceIDs:     concatColumns(one.TraceIDs, other.TraceIDs, rows),
		ContentTypes: concatColumns(one.ContentTypes, other.ContentTypes, rows),
	}, nil
}

func sharedEncoding(one, other *Batch) (Encoding, error) {
	held := map[Encoding]bool{one.Encoding: true, other.Encoding: true}
	switch {
	case held[EncodingArrow] || held[EncodingXDR] && len(held) > 1:
		return "", mixedEncodings(one.Encoding, other.Encoding)
	case len(held) == 1:
		return one.Encoding, nil
	}
	return EncodingJSON, nil
}

func mixedEncodings(one, other Encoding) error {
	return PluginError{
		Message: "payloads of one answer have one form, got " + or(string(one), "json") + " and " + or(string(other), "json"),
		Code:    CodeEncodingUnsupported,
		Hint:    "give every output a JSON payload, or leave all payloads as they came",
	}
}

func concatColumns[T any](one, other Column[T], rows [2]int) Column[T] {
	if len(one) == 0 && len(other) == 0 {
		return nil
	}
	whole := make(Column[T], 0, rows[0]+rows[1])
	for row := range rows[0] {
		whole = append(whole, one.At(row))
	}
	for row := range rows[1] {
		whole = append(whole, other.At(row))
	}
	return whole
}
