"""The web app: Streamlit pages that reach the model and the databases through the gateway only."""
