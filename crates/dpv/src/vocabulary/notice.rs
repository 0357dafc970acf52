//! Where a notice is in its life.

use super::terms;

terms! {
    /// The state of a notice.
    pub enum NoticeStatus {
        /// It was made.
        Generated = dpv "NoticeGenerated",
        /// It was shown.
        Communicated = dpv "NoticeCommunicated",
        /// It was shown and acted on.
        Used = dpv "NoticeUsed",
        /// It was shown and not acted on yet.
        Unused = dpv "NoticeUnused",
        /// Its content changed.
        Updated = dpv "NoticeUpdated",
        /// It is the newest.
        Latest = dpv "NoticeLatest",
        /// There is a newer one.
        Stale = dpv "NoticeStale",
    }
}
