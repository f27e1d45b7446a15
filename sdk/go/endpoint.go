//go:build !wasip1

package cdpplugin

import (
	"errors"
	"fmt"
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
		port, err := strconv.ParseUint(environment("PLUGIN_PORT"), 10, 16)
		if err != nil {
			return found, fmt.Errorf("expected a port in `PLUGIN_PORT`, got `%s`", environment("PLUGIN_PORT"))
		}
		found.address = net.JoinHostPort("127.0.0.1", strconv.FormatUint(port, 10))
	}
	if text := environment("PLUGIN_MAX_MESSAGE_BYTES"); text != "" {
		size, err := strconv.Atoi(text)
		if err != nil || size <= 0 {
			return found, fmt.Errorf("expected a size in bytes in `PLUGIN_MAX_MESSAGE_BYTES`, got `%s`", text)
		}
		found.maxMessageBytes = size
	}
	return found, nil
}

// listen opens the endpoint; a Unix socket is for this user alone and removed when it is closed.
func (e endpoint) listen() (net.Listener, error) {
	if e.network == "unix" {
		if err := removeSocket(e.address); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen(e.network, e.address)
	if err != nil {
		if e.network == "unix" && strings.Contains(err.Error(), "invalid argument") {
			return nil, fmt.Errorf("the path of the socket is too long: %w", err)
		}
		return nil, fmt.Errorf("the plugin cannot listen: %w", err)
	}
	if e.network == "unix" {
		if err := os.Chmod(e.address, 0o600); err != nil {
			listener.Close()
			return nil, fmt.Errorf("the plugin cannot protect its socket: %w", err)
		}
	}
	return listener, nil
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
