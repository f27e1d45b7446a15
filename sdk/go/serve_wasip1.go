package cdpplugin

import (
	"errors"
	"os"
	_ "unsafe" // for go:linkname
)

// main of the author's program. A module that is built with -buildmode=c-shared has it and does not
// run it.
//
//go:linkname authorsMain main.main
func authorsMain()

// program is the author's main at work beside the calls of the host: it begins with the first
// call, waits in Serve while the plugin works, and goes on to its end when the host stops the plugin.
type program struct {
	begun bool
	// guest is what main serves, or refusal why it cannot be served; known once served is closed.
	guest    *guest
	refusal  error
	served   chan struct{}
	released chan struct{}
	// ended is closed when main has returned, or panicked with fault.
	ended chan struct{}
	fault error
}

var running = &program{
	served: make(chan struct{}), released: make(chan struct{}), ended: make(chan struct{}),
}

func init() {
	if len(os.Args) == 0 { // as it is where nobody grants arguments; programs count on a name
		os.Args = []string{"plugin"}
	}
}

// Serve serves plugin, a [Processor] or a consumer made of one function, to the host of a
// WebAssembly module, and returns nil when the host stops the plugin. [WithWorkers], [WithContext] and
// [WithTLS] change nothing here.
func Serve(plugin Plugin, options ...Option) error {
	installLogger()
	return running.serve(plugin, options)
}

var errProgram = errors.New("a WebAssembly plugin is served by the calls of its host: build it with -buildmode=c-shared")

func (p *program) serve(plugin Plugin, options []Option) error {
	if !p.begun {
		return errProgram
	}
	select {
	case <-p.served:
		return errors.New("the program has served a plugin before")
	default:
	}
	p.guest, p.refusal = newGuest(plugin, options)
	close(p.served)
	<-p.released
	return p.refusal
}

// current returns what main serves; the first call has main begin.
func (p *program) current() (*guest, error) {
	if !p.begun {
		p.begun = true
		go p.run()
	}
	if p.guest == nil && p.refusal == nil {
		select {
		case <-p.served:
		case <-p.ended:
			return nil, p.unserved()
		}
	}
	return p.guest, p.refusal
}

func (p *program) unserved() error {
	if p.fault != nil {
		return p.fault
	}
	return PluginError{
		Message: "`main` returned and has served no plugin",
		Hint:    "call ServeProcessor, or another function that serves, in `main`",
	}
}

func (p *program) run() {
	defer close(p.ended)
	p.fault = guard(func() error {
		authorsMain()
		return nil
	})
}

// release lets main go on to its end, after the plugin has been stopped.
func (p *program) release() {
	select {
	case <-p.released:
	default:
		close(p.released)
	}
	<-p.ended
}
