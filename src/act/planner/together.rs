//! Several looks at once, with their answers in order.

use crate::act::sight::Looking;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

/// Looks that are under way at the same time, at most.
const AT_ONCE: usize = 8;

/// Awaits all of them, [`AT_ONCE`] at a time; the answers are in the order of the looks.
pub async fn together<T: Send>(looks: Vec<Looking<'_, T>>) -> Vec<T> {
    let count = looks.len();
    let mut waiting = looks.into_iter().enumerate();
    let mut under_way = FuturesUnordered::new();
    let mut answers: Vec<(usize, T)> = Vec::with_capacity(count);
    loop {
        while under_way.len() < AT_ONCE
            && let Some((i, look)) = waiting.next()
        {
            under_way.push(numbered(i, look));
        }
        match under_way.next().await {
            Some(answer) => answers.push(answer),
            None => break,
        }
    }
    answers.sort_by_key(|(i, _)| *i);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

async fn numbered<T>(i: usize, look: Looking<'_, T>) -> (usize, T) {
    (i, look.await)
}
