package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

const (
	serverAway   = "postgres.server_away"
	loginRefused = "postgres.login_refused"
	dataRefused  = "postgres.data_refused"
	refused      = "postgres.refused"
)

// passing are SQLSTATEs that pass by themselves (PostgreSQL documentation, appendix A): a connection
// that is lost, a deadlock, too little memory, a shutdown, a server that is no longer the primary,
// another session that makes the same table.
var passing = []string{"08", "40", "53", "57", "58", "25006", "42P07", "55P03"}

// instructionOf returns what the host is to do about err, which came from the database place.
func instructionOf(err error, place string) error {
	var told *pgconn.PgError
	if !errors.As(err, &told) {
		return cdpplugin.Retry{
			Message: fmt.Sprintf("%s: %s", place, oneLine(err)), Code: serverAway,
			Hint: "see that the server runs and can be reached, and that the pipeline grants `network`",
		}
	}
	text := fmt.Sprintf("%s: %s", place, told.Message)
	switch {
	case begins(told.Code, passing...):
		return cdpplugin.Retry{Message: text, Code: serverAway}
	case begins(told.Code, "28", "3D"):
		return cdpplugin.Fatal{
			Message: text, Code: loginRefused,
			Hint: "correct user, password and database of `dsn`, or the server's pg_hba.conf",
		}
	case begins(told.Code, "22", "23"):
		return cdpplugin.PluginError{
			Message: text, Code: dataRefused,
			Hint: "set `on_error` of the stage, or mend the message in a stage before",
		}
	}
	return cdpplugin.Fatal{
		Message: text, Code: refused,
		Hint: "see that the role may write to the table, and that its key is (type, id)",
	}
}

func begins(state string, classes ...string) bool {
	return slices.ContainsFunc(classes, func(class string) bool { return strings.HasPrefix(state, class) })
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
