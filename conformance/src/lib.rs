//! Judges for jw238dns: a slow oracle, and real name servers asked the same questions.
