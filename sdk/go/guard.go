package cdpplugin

import (
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

func panicked(cause any) error {
	panicLog.write(cause, debug.Stack())
	return fmt.Errorf("panic: %v", cause)
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
