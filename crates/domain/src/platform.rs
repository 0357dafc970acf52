//! Where data comes from.

crate::words! {
    /// The platform or format that a row came from.
    pub enum Platform("platform") {
        /// Mastodon account archive.
        Mastodon = "mastodon",
        /// Bluesky (AT Protocol).
        Bluesky = "bluesky",
        /// X (formerly Twitter) archive.
        X = "x",
        /// Instagram export.
        Instagram = "instagram",
        /// Facebook export.
        Facebook = "facebook",
        /// TikTok export.
        Tiktok = "tiktok",
        /// YouTube Takeout.
        Youtube = "youtube",
        /// Reddit export.
        Reddit = "reddit",
        /// LinkedIn export.
        Linkedin = "linkedin",
        /// A folder of Parquet files in the layout of the LDBC social-network data generator.
        Ldbc = "ldbc",
        /// Rows from a CSV file with a mapping.
        Csv = "csv",
    }
}
