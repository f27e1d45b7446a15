package cdpplugin

import (
	"maps"
	"slices"
	"time"
)

// answerRoom is left free before the outputs of an answer, for the tag and the size of their message:
// the size is known only when they are written, and moving them would copy the whole.
const answerRoom = 6

// appendAnswer writes the ProcessBatchResponse to a batch of the given number of rows into buffer,
// from its start, and returns the buffer and the answer in it.
func appendAnswer(buffer []byte, outputs *Outputs, rows int) (grown, answer []byte, err error) {
	buffer = append(buffer[:0], make([]byte, answerRoom)...)
	if outputs == nil {
		return buffer, nil, nil
	}
	if err := outputs.check(rows); err != nil {
		return buffer, nil, err
	}
	start := answerRoom
	if outputs.Batch.Len() > 0 {
		buffer = appendBatch(buffer, outputs.Batch)
		size := uint64(len(buffer) - answerRoom)
		start -= 1 + varintSize(size)
		buffer[start] = 1<<3 | kindBytes
		appendVarint(buffer[:start+1], size)
		buffer = appendRows(buffer, outputs.Rows, rows)
	}
	buffer = appendErrors(buffer, outputs.Errors)
	buffer = appendDropped(buffer, outputs.Dropped)
	return buffer, buffer[start:], nil
}

// appendBatch writes the fields of a MessageBatch.
func appendBatch(data []byte, batch *Batch) []byte {
	data = appendNumber(data, 1, uint64(batch.Rows))
	data = appendColumn(data, 2, batch.IDs)
	data = appendColumn(data, 3, batch.Types)
	data = appendColumn(data, 4, batch.Payloads)
	data = appendColumn(data, 5, batch.Metadata)
	for _, source := range batch.Sources {
		data = appendMessage(data, 6, func(data []byte) []byte {
			data = appendFilled(data, 1, valid(source.Name))
			data = appendFilled(data, 2, valid(source.Network))
			return appendFilled(data, 3, valid(source.URI))
		})
	}
	data = appendColumn(data, 7, batch.TraceIDs)
	data = appendColumn(data, 8, batch.ContentTypes)
	data = appendFilled(data, 9, or(string(batch.Encoding), string(EncodingJSON)))
	return appendFilled(data, 10, batch.Arrow)
}

func appendColumn[T string | []byte](data []byte, field int, column Column[T]) []byte {
	for _, entry := range column {
		data = appendField(data, field, entry)
	}
	return data
}

// appendRows writes the input row of each output, unless it is one output for each input row.
func appendRows(data []byte, outputs []int, rows int) []byte {
	if isEach(outputs, rows) {
		return data
	}
	return appendMessage(data, 2, func(data []byte) []byte {
		for _, row := range outputs {
			data = appendVarint(data, uint64(row))
		}
		return data
	})
}

// isEach tells whether outputs are one for each of the input's rows.
func isEach(outputs []int, rows int) bool {
	if len(outputs) == 0 {
		return true // row for row
	}
	for at, row := range outputs {
		if at != row {
			return false
		}
	}
	return len(outputs) == rows
}

func appendErrors(data []byte, errors map[int]error) []byte {
	for _, row := range slices.Sorted(maps.Keys(errors)) {
		told := reportOf(errors[row])
		data = appendMessage(data, 3, func(data []byte) []byte {
			data = appendNumber(data, 1, uint64(row))
			return appendMessage(data, 2, told.append)
		})
	}
	return data
}

// append writes the fields of an Error.
func (r errorReport) append(data []byte) []byte {
	data = appendNumber(data, 1, uint64(r.instruction))
	data = appendFilled(data, 2, r.code)
	data = appendFilled(data, 3, r.message)
	data = appendFilled(data, 4, r.hint)
	if r.after <= 0 {
		return data
	}
	return appendMessage(data, 5, func(data []byte) []byte {
		data = appendNumber(data, 1, uint64(r.after/time.Second))
		return appendNumber(data, 2, uint64(r.after%time.Second))
	})
}

func appendDropped(data []byte, dropped map[string]int) []byte {
	counts := map[string]int{}
	for reason, count := range dropped {
		counts[valid(reason)] += count
	}
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		data = appendMessage(data, 4, func(data []byte) []byte {
			data = appendFilled(data, 1, reason)
			return appendNumber(data, 2, uint64(counts[reason]))
		})
	}
	return data
}
