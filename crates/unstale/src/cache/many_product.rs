//! What the load of many keys brings: from the store, or from one call of the loader for all the rest.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use super::call::Loaders;
use super::few::Few;
use super::load::Load;
use super::loaded::Answer as LoaderAnswer;
use super::loader::Cause;
use super::product::Product;
use super::running::{Led, Running};
use super::second_level::{Stocked, StoreRead};
use super::terms::{Brought, Old, Terms};
use super::turn::Grant;
use super::{Cache, Key};

/// How long a batch waits for keys that other processes load: two batches may each wait for what the other one loads.
const BATCH_PATIENCE: Duration = Duration::from_millis(100);

/// A loader of many keys without its types.
pub(crate) type ManyLoader<K, V> = Box<dyn FnOnce(Vec<K>, Load<V>) -> ManyFuture<K, V> + Send>;
/// Gives the loader anew each time that it is needed.
pub(crate) type NextLoader<K, V> = dyn Fn() -> ManyLoader<K, V> + Send + Sync;
pub(crate) type ManyFuture<K, V> = Pin<Box<dyn Future<Output = Result<Vec<(K, V)>, Cause>> + Send>>;

/// The load of many keys: what it needs to run, owned.
pub(crate) struct ManyJob<K: Key, V: Send + Sync + 'static> {
    pub(crate) terms: Terms<K, V>,
    pub(crate) keys: Vec<K>,
    pub(crate) loader: ManyLoader<K, V>,
}

impl<K: Key, V: Send + Sync + 'static> ManyJob<K, V> {
    pub(crate) fn run(self, cache: &Cache<K, V>, leads: Vec<Led<K, V>>) -> Running<'_, K, V> {
        let pause = self.terms.pause();
        let loading = async move { (Few::Many(self.produce().await), Loaders::default()) };
        Running::new(cache, pause, Few::Many(leads), Box::pin(loading))
    }

    async fn produce(self) -> Vec<Product<V>> {
        let Self { terms, keys, loader } = self;
        let reads = terms.stocks_of(&keys, Old::None, BATCH_PATIENCE).await;
        let mut products: Vec<Option<Product<V>>> = Vec::with_capacity(keys.len());
        let mut missing = Vec::new();
        for (key, StoreRead { found, grant, .. }) in keys.into_iter().zip(reads) {
            match found {
                Some(stocked) if terms.is_good_enough(&stocked) => {
                    products.push(Some(Product::Goods(terms.goods_of_stock(*stocked))));
                }
                stale => {
                    missing.push(Missing { index: products.len(), key, stale, grant });
                    products.push(None);
                }
            }
        }
        if !missing.is_empty() {
            for (index, product) in load(&terms, missing, loader).await {
                products[index] = Some(product);
            }
        }
        products.into_iter().map(|product| product.expect("every key was found or loaded")).collect()
    }
}

/// A key that the loader is asked for.
struct Missing<K, V> {
    index: usize,
    key: K,
    stale: Option<Box<Stocked<V>>>,
    grant: Option<Grant>,
}

async fn load<K: Key, V: Send + Sync + 'static>(
    terms: &Terms<K, V>,
    missing: Vec<Missing<K, V>>,
    loader: ManyLoader<K, V>,
) -> Vec<(usize, Product<V>)> {
    let keys: Vec<K> = missing.iter().map(|missing| missing.key.clone()).collect();
    let Brought { answer: pairs, said, recorded } = match terms.call(None, |load| loader(keys, load)).await {
        Ok(brought) => brought,
        Err(error) => {
            let failed = |missing: Missing<K, V>| {
                let product = match missing.stale.filter(|_| terms.policy().fail_safe.is_on()) {
                    Some(stocked) => Product::StaleStock(Box::new(terms.stale_entry(*stocked))),
                    None => Product::Failed(error.clone()),
                };
                (missing.index, product)
            };
            return missing.into_iter().map(failed).collect();
        }
    };
    let mut values: HashMap<K, V> = pairs.into_iter().collect();
    let product = |missing: Missing<K, V>| {
        let answer = values.remove(&missing.key).map_or(LoaderAnswer::Nothing, LoaderAnswer::Value).embody();
        let goods = terms.goods(said.as_deref(), recorded.clone(), answer, None, missing.grant);
        (missing.index, Product::Goods(goods.expect("nothing was called not modified")))
    };
    missing.into_iter().map(product).collect()
}
