//! One deployment, from plan to verdicts.
