//go:build !wasip1

package cdpplugin

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
)

// Where a plugin listens when nobody says so, and what it takes at the most.
const (
	defaultAddress         = "127.0.0.1:50051"
	defaultMaxMessageBytes = 256 << 20
)

// endpoint is what a plugin finds in its environment, see spec/handshake.md section 1.
type endpoint struct {
	network         string
	address         string
	token           string
	maxMessageBytes int
	// launched tells whether a host started this process, so that it ends with the host.
	launched bool
}

// endpoint returns the socket that was chosen, else what the environment says.
func (s *settings) endpoint(environment func(string) string) (endpoint, error) {
	if s.socket == "" {
		return endpointFrom(environment)
	}
	return endpoint{network: "unix", address: s.socket, maxMessageBytes: defaultMaxMessageBytes}, nil
}

func endpointFrom(environment func(string) string) (endpoint, error) {
	found := endpoint{
		network: "tcp", address: defaultAddress, token: environment("PLUGIN_TOKEN"),
		maxMessageBytes: defaultMaxMessageBytes,
	}
	switch {
	case environment("PLUGIN_SOCKET") != "":
		found.network, found.address = "unix", environment("PLUGIN_SOCKET")
		found.token = "" // the socket's folder lets only this user in
		found.launched = environment("PLUGIN_MODE") == "grpc"
	case environment("PLUGIN_ADDRESS") != "":
		found.address = environment("PLUGIN_ADDRESS")
	case environment("PLUGIN_PORT") != "":
		port, err := numberIn(environment, "PLUGIN_PORT", math.MaxUint16)
		if err != nil {
			return found, err
		}
		found.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	if environment("PLUGIN_MAX_MESSAGE_BYTES") != "" {
		size, err := numberIn(environment, "PLUGIN_MAX_MESSAGE_BYTES", math.MaxInt32)
		if err != nil {
			return found, err
		}
		found.maxMessageBytes = size
	}
	return found, nil
}

// numberIn returns a whole number of the environment, from 1 to largest.
func numberIn(environment func(string) string, name string, largest int) (int, error) {
	text := environment(name)
	number, err := strconv.ParseUint(text, 10, 31)
	if err != nil || number < 1 || number > uint64(largest) {
		return 0, PluginError{
			Message: fmt.Sprintf("expected `%s` to be from 1 to %d, got `%s`", name, largest, text),
			Code:    CodeEnvironmentInvalid,
		}
	}
	return int(number), nil
}

// listen opens the endpoint; a Unix socket is for this user alone and removed when it is closed.
func (e endpoint) listen() (net.Listener, error) {
	if e.network == "unix" {
		if err := removeSocket(e.address); err != nil {
			return nil, e.unavailable(err)
		}
	}
	listener, err := net.Listen(e.network, e.address)
	if err != nil {
		if e.network == "unix" && strings.Contains(err.Error(), "invalid argument") {
			err = fmt.Errorf("the path of the socket is too long: %w", err)
		}
		return nil, e.unavailable(err)
	}
	if e.network == "unix" {
		if err := os.Chmod(e.address, 0o600); err != nil {
			listener.Close()
			return nil, e.unavailable(err)
		}
	}
	return listener, nil
}

func (e endpoint) unavailable(err error) error {
	return PluginError{
		Message: fmt.Sprintf("cannot listen on `%s`", e.address), Code: CodeAddressUnavailable, Err: err,
		Hint: "end what listens there, or set PLUGIN_PORT to another port",
	}
}

// removeSocket removes a socket that a plugin which was killed has left behind, and nothing else.
func removeSocket(path string) error {
	entry, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the plugin cannot look at its socket: %w", err)
	}
	if entry.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("expected a socket or nothing at `%s`, got a file", path)
	}
	if connection, err := net.Dial("unix", path); err == nil {
		connection.Close()
		return fmt.Errorf("another process listens on `%s`", path)
	}
	return os.Remove(path)
}
