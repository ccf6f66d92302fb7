package conformance;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import org.junit.jupiter.api.condition.DisabledIfEnvironmentVariable;

/** Needs the server to see this driver's own connection; BB_TEST_DIRECT=0 says that it doesn't. */
@Retention(RetentionPolicy.RUNTIME)
@DisabledIfEnvironmentVariable(
        named = "BB_TEST_DIRECT", matches = "0", disabledReason = "a pooler stands between driver and server")
@interface Direct {}
