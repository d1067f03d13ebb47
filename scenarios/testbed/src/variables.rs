//! What other programs need to know of a system that runs.

use secrecy::ExposeSecret;

use super::{PAYMENT_DETAILS_KEY, POSTGRES_URL, Program, Stack, certs::Certs, closed::Closed};

impl Stack {
    /// Variables for other programs: the environment and, for each program that we started, its process id and its HTTP address.
    pub fn variables(&self) -> Vec<(String, String)> {
        let mut variables = self.environment.variables();
        // The payment program's alone: it encrypts the details of cards for everyone.
        variables.retain(|(name, _)| name != PAYMENT_DETAILS_KEY || self.own.is_none());
        if let Some(jars) = self.kafka_jars() {
            variables.push(("KAFKA_JARS".to_owned(), jars.display().to_string()));
        }
        if let Some(own) = &self.own {
            variables.extend(own.closed.iter().flat_map(Closed::operator));
            let pids = own.programs.pids().borrow().clone();
            variables.extend(pids.iter().map(|(program, pid)| (program.variable("PID"), pid.to_string())));
            let postgres = &own.foundation.postgres;
            variables.extend(own.tokens.variables());
            variables.extend(own.certs.iter().flat_map(Certs::operators_variables));
            variables.push((POSTGRES_URL.to_owned(), postgres.admin_url().expose_secret().to_owned()));
            variables.push(("POSTGRES_ADDRESS".to_owned(), postgres.address()));
            let ports = own.programs.ports();
            let url = |program: Program| (program.variable("HTTP_URL"), ports.url(program));
            variables.extend(self.environment.manifest.programs().map(url));
            let url = |program: Program| (program.variable("OPS_URL"), ports.operations_url(program));
            variables.extend(self.environment.manifest.programs().map(url));
        }
        variables
    }
}
