package cdpplugin

import "unsafe"

// The functions of spec/wasm-abi.md. Each but alloc returns the address of an answer, which stands
// until the next call.

// record is the answer: its status, and address and size of its bytes.
var record [3]uint32

// said holds the bytes of the answer.
var said []byte

// given is the room that the last call of alloc has made.
var given []byte

//go:wasmexport alloc
func exportAlloc(size uint32) (address uint32) {
	defer func() {
		if recover() != nil { // more than there can ever be
			address = 0
		}
	}()
	if size := max(int(size), 1); cap(given) < size {
		given = nil // may be used for what comes
		given = make([]byte, size, size+size/8)
	}
	return addressOf(given[:1])
}

func addressOf(data []byte) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(data))))
}

// taken returns what the host has written where alloc told it to.
func taken(address, size uint32) ([]byte, error) {
	if cap(given) < int(size) || size > 0 && address != addressOf(given[:1]) {
		return nil, PluginError{Message: "the input of the call is not where `alloc` made room for it"}
	}
	return given[:size:size], nil
}

// answer makes the answer of a call of what main serves.
func answer(call func(*guest) (answerStatus, []byte)) uint32 {
	serving, err := running.current()
	if err != nil {
		return tell(failed(err))
	}
	return tell(call(serving))
}

// answerTo does so for a call with an input. What is kept of the input stays as it is: the next call
// gets other memory.
func answerTo(address, size uint32, kept bool, call func(*guest, []byte) (answerStatus, []byte)) uint32 {
	return answer(func(serving *guest) (answerStatus, []byte) {
		input, err := taken(address, size)
		if kept || cap(given) > keptBytes {
			given = nil
		}
		if err != nil {
			return failed(err)
		}
		return call(serving, input)
	})
}

func tell(status answerStatus, text []byte) uint32 {
	said = text
	record = [3]uint32{uint32(status), addressOf(text), uint32(len(text))}
	return uint32(uintptr(unsafe.Pointer(&record)))
}

//go:wasmexport metadata
func exportMetadata() uint32 { return answer((*guest).describe) }

//go:wasmexport configure
func exportConfigure(address, size uint32) uint32 {
	return answerTo(address, size, true, (*guest).configure)
}

//go:wasmexport start
func exportStart(address, size uint32) uint32 {
	return answerTo(address, size, false, (*guest).start)
}

//go:wasmexport process
func exportProcess(address, size uint32) uint32 {
	return answerTo(address, size, false, (*guest).process)
}

//go:wasmexport process_batch
func exportProcessBatch(address, size uint32) uint32 {
	return answerTo(address, size, false, (*guest).processBatch)
}

//go:wasmexport health
func exportHealth() uint32 { return answer((*guest).health) }

//go:wasmexport export_state
func exportExportState() uint32 { return answer((*guest).exportState) }

//go:wasmexport import_state
func exportImportState(address, size uint32) uint32 {
	return answerTo(address, size, true, (*guest).importState)
}

// What is left of main runs before the call ends: it may write something, or close what it opened.
//
//go:wasmexport stop
func exportStop() uint32 {
	serving, err := running.current()
	if err != nil {
		return tell(statusOK, nil)
	}
	status, text := serving.stop()
	running.release()
	return tell(status, text)
}
