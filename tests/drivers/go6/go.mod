module conformance

go 1.24

require github.com/neo4j/neo4j-go-driver/v6 v6.1.0
