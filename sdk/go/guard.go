package cdpplugin

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// guard calls work and turns a panic into an error: a fault in a plugin's code costs the message
// it was working on, never the process.
func guard(work func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = panicked(cause)
		}
	}()
	return work()
}

// processed has a processor work on a batch; a Drop leaves out the whole of it.
func processed(ctx context.Context, processor Processor, batch *Batch) (outputs *Outputs, err error) {
	err = guard(func() (err error) {
		outputs, err = processor.ProcessBatch(ctx, batch)
		return err
	})
	if reason, dropped := asDrop(err); dropped {
		return &Outputs{Dropped: map[string]int{reason: batch.Len()}}, nil
	}
	return outputs, err
}

func panicked(cause any) error {
	panicLog.write(cause, debug.Stack())
	return PluginError{Message: fmt.Sprintf("panic: %v", cause), Code: CodePanic}
}

// panicLog writes stacks of panics, at most one in panicPause: a fault may hit every message.
var panicLog panics

const panicPause = time.Second

type panics struct {
	sync.Mutex
	last   time.Time
	unsaid int
}

func (p *panics) write(cause any, stack []byte) {
	p.Lock()
	defer p.Unlock()
	now := time.Now()
	if now.Sub(p.last) < panicPause {
		p.unsaid++
		return
	}
	slog.Error("the plugin's code panicked", "panic", fmt.Sprint(cause), "stack", string(stack), "more_before", p.unsaid)
	p.last, p.unsaid = now, 0
}
