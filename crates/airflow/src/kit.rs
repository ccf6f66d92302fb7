//! The DAG files. They are part of this program, so that a binary alone can bring them to an Airflow.

use std::fs;
use std::io;
use std::path::Path;

/// Name and content of the module that makes connections, which needs no Airflow.
pub const CONNECTIONS: (&str, &str) =
    ("neo4j_connections.py", include_str!("../../../airflow/dags/neo4j_connections.py"));

/// Name and content of each file of the DAG folder.
pub const FILES: [(&str, &str); 4] = [
    (".airflowignore", include_str!("../../../airflow/dags/.airflowignore")),
    (
        "test_connection_reproduction.py",
        include_str!("../../../airflow/dags/test_connection_reproduction.py"),
    ),
    CONNECTIONS,
    ("neo4j_monitor.py", include_str!("../../../airflow/dags/neo4j_monitor.py")),
];

/// Makes `folder` and writes the files into it.
///
/// # Errors
/// The folder can't be written.
pub fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    FILES.iter().try_for_each(|(name, content)| fs::write(folder.join(name), content))
}
