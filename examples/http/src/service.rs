//! What the service does: reads through the caches, writes through the database.

use axum::http::HeaderValue;
use unstale::{Cache, Error, Load, Node, Read, Receipt, Value};

use crate::answer::Refusal;
use crate::database::{Database, Product, Stored, Wish};
use crate::demand::Demand;
use crate::key::ProductKey;
use crate::recording::Recording;

/// The service. Clones are the same service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) node: Node,
    /// The node's name, as answers carry it.
    pub(crate) name: HeaderValue,
    database: Database,
    recording: Recording,
    products: Cache<ProductKey, Product>,
    categories: Cache<String, Vec<Product>>,
}

/// A deletion: the version that it made, and its receipt.
pub(crate) struct Deletion {
    pub(crate) version: u64,
    pub(crate) receipt: Receipt,
}

impl Service {
    /// A service of `node` over `database`.
    pub(crate) fn new(node: Node, database: Database, recording: Recording) -> Result<Self, Error> {
        let products = node.cache("products").build()?;
        let categories = node.cache("categories").build()?;
        let name = HeaderValue::try_from(node.status().name.as_str());
        let name = name.unwrap_or(HeaderValue::from_static("unprintable"));
        Ok(Self { node, name, database, recording, products, categories })
    }

    /// A product; none is an answer too, and cached.
    pub(crate) async fn product(
        &self,
        id: String,
        demand: Demand,
    ) -> Result<Read<Option<Value<Product>>>, Error> {
        let (key, asked) = (ProductKey::Product(id.clone()), id.clone());
        let database = self.database.clone();
        let load = async move |load: Load<Product>| {
            let product = database.product(id).await?;
            if let Some(product) = &product {
                load.tag(tag(&product.category));
                load.version(product.version);
            }
            Ok::<_, crate::database::Failure>(product)
        };
        let began = self.node.now();
        let mut read = self.products.find_or_load(&key, load).at(began);
        if let Some(freshness) = demand.freshness {
            read = read.freshness(freshness);
        }
        if let Some(session) = demand.session {
            read = read.session(session);
        }
        let read = read.await?;
        let shown = read.as_deref().map_or((asked.as_str(), None), Product::shown);
        self.recording.read(&self.node, began, &demand, &read, [shown]);
        Ok(read)
    }

    /// The products of a category, sorted by id.
    pub(crate) async fn category(
        &self,
        name: &String,
        demand: Demand,
    ) -> Result<Read<Value<Vec<Product>>>, Error> {
        let (database, products, category) = (self.database.clone(), self.products.clone(), name.clone());
        let load = async move |load: Load<Vec<Product>>| {
            load.tag(tag(&category));
            load.depends_on(&products, &ProductKey::Shelf(category.clone()));
            let members = database.category(category).await?;
            for member in &members {
                load.depends_on(&products, &ProductKey::Product(member.id.clone()));
            }
            Ok::<_, crate::database::Failure>(members)
        };
        let began = self.node.now();
        let mut read = self.categories.get_or_load(name, load).at(began);
        if let Some(freshness) = demand.freshness {
            read = read.freshness(freshness);
        }
        if let Some(session) = demand.session {
            read = read.session(session);
        }
        let read = read.await?;
        // A list shows a version of each of its members.
        self.recording.read(&self.node, began, &demand, &read, read.iter().map(Product::shown));
        Ok(read)
    }

    /// Stores products: one transaction, one batch.
    pub(crate) async fn store(&self, wishes: Vec<Wish>) -> Result<(Vec<Product>, Receipt), Refusal> {
        // Before the database is touched: otherwise this node would change what it cannot tell anybody about.
        self.node.writable()?;
        let service = self.clone();
        finish(async move {
            let began = service.node.now();
            let stored = service.database.store(wishes).await.map_err(Refusal::database)?;
            let keys: Vec<_> = stored.iter().flat_map(touched).collect();
            let receipt = service.products.remove_many(&keys).await?;
            let products: Vec<_> = stored.into_iter().map(|stored| stored.product).collect();
            let rows = products.iter().map(|product| (product.id.as_str(), product.version));
            service.recording.write(&service.node, began, &receipt, rows);
            Ok((products, receipt))
        })
        .await
    }

    /// Deletes a product; `None` if there is none.
    pub(crate) async fn delete(&self, id: String) -> Result<Option<Deletion>, Refusal> {
        self.node.writable()?;
        let service = self.clone();
        finish(async move {
            let began = service.node.now();
            let Some(deleted) = service.database.delete(id.clone()).await.map_err(Refusal::database)? else {
                return Ok(None);
            };
            let keys = [ProductKey::Product(id.clone()), ProductKey::Shelf(deleted.category)];
            let receipt = service.products.remove_many(&keys).await?;
            service.recording.write(&service.node, began, &receipt, [(id.as_str(), deleted.version)]);
            Ok(Some(Deletion { version: deleted.version, receipt }))
        })
        .await
    }

    /// Forgets on every node what was loaded with a tag.
    pub(crate) async fn forget(&self, tag: String) -> Result<Receipt, Error> {
        self.node.remove_tag(tag).await
    }
}

/// The tag of what belongs to a category.
fn tag(category: &str) -> String {
    format!("category:{category}")
}

/// What a stored row makes invalid: itself, and the sets that it entered or left.
fn touched(stored: &Stored) -> Vec<ProductKey> {
    let product = &stored.product;
    let mut keys = vec![ProductKey::Product(product.id.clone())];
    if stored.old_category.as_ref() != Some(&product.category) {
        keys.push(ProductKey::Shelf(product.category.clone()));
        keys.extend(stored.old_category.clone().map(ProductKey::Shelf));
    }
    keys
}

/// Runs to its end what a client that goes away must not break off: between a commit and its act lies a stale read.
async fn finish<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::spawn(work).await.map_err(Refusal::database)?
}
