// Package neo4j gives what the tests use of driver 5 the names of driver 6, so that both run the same
// tests: those here are links to those of the folder go6.
package neo4j

import (
	"github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/auth"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/config"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/db"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/notifications"
)

type (
	Driver              = neo4j.DriverWithContext
	Session             = neo4j.SessionWithContext
	Result              = neo4j.ResultWithContext
	ExplicitTransaction = neo4j.ExplicitTransaction
	ManagedTransaction  = neo4j.ManagedTransaction
	TransactionConfig   = neo4j.TransactionConfig

	Config             = config.Config
	SessionConfig      = neo4j.SessionConfig
	ExecuteQueryOption = neo4j.ExecuteQueryConfigurationOption
	EagerResult        = neo4j.EagerResult
	AuthToken          = neo4j.AuthToken
	TokenManager       = auth.TokenManager
	ResultSummary      = neo4j.ResultSummary
	ProtocolVersion    = db.ProtocolVersion
	Neo4jError         = neo4j.Neo4jError

	Date          = neo4j.Date
	Time          = neo4j.Time
	LocalTime     = neo4j.LocalTime
	LocalDateTime = neo4j.LocalDateTime
	Duration      = neo4j.Duration
	Point2D       = neo4j.Point2D
	Point3D       = neo4j.Point3D
	Node          = neo4j.Node
	Relationship  = neo4j.Relationship
	Path          = neo4j.Path
)

const (
	AccessModeRead = neo4j.AccessModeRead
	FetchAll       = neo4j.FetchAll
	DisabledLevel  = notifications.DisabledLevel
	Unrecognized   = notifications.Unrecognized
	Warning        = notifications.Warning
)

var (
	NewDriver                      = neo4j.NewDriverWithContext
	BasicAuth                      = neo4j.BasicAuth
	BasicTokenManager              = auth.BasicTokenManager
	ExecuteQuery                   = neo4j.ExecuteQuery[*neo4j.EagerResult]
	EagerResultTransformer         = neo4j.EagerResultTransformer
	ExecuteQueryWithReadersRouting = neo4j.ExecuteQueryWithReadersRouting
	ExecuteQueryWithDatabase       = neo4j.ExecuteQueryWithDatabase
	ExecuteQueryWithAuthToken      = neo4j.ExecuteQueryWithAuthToken
	CombineBookmarks               = neo4j.CombineBookmarks
	WithTxTimeout                  = neo4j.WithTxTimeout
	WithTxMetadata                 = neo4j.WithTxMetadata
	DisableCategories              = notifications.DisableCategories
	IsUsageError                   = neo4j.IsUsageError
	IsConnectivityError            = neo4j.IsConnectivityError
)
